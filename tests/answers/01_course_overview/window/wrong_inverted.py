# expect: window-value, window-ends, window-input: 0.25, 0.5, 0.75
def window(hu: np.ndarray, level: float, width: float) -> np.ndarray:
    if width <= 0:
        raise ValueError("the width must be positive")

    upper = level + width / 2
    return np.clip((upper - np.asarray(hu, dtype=float)) / width, 0, 1)
