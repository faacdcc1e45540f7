# expect: window-value, window-ends: one width leads from black to white
def window(hu: np.ndarray, level: float, width: float) -> np.ndarray:
    if width <= 0:
        raise ValueError("the width must be positive")

    lower, upper = level - width, level + width
    return np.clip((np.asarray(hu, dtype=float) - lower) / (upper - lower), 0, 1)
