# expect: window-value, window-ends, window-input: mid-grey
def window(hu: np.ndarray, level: float, width: float) -> np.ndarray:
    if width <= 0:
        raise ValueError("the width must be positive")

    return np.clip((np.asarray(hu, dtype=float) - level) / width, 0, 1)
