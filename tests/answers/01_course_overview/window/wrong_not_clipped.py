# expect: window-ends, window-input: between 0 and 1
def window(hu: np.ndarray, level: float, width: float) -> np.ndarray:
    if width <= 0:
        raise ValueError("the width must be positive")

    return (np.asarray(hu, dtype=float) - (level - width / 2)) / width
