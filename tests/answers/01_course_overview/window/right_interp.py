def window(hu: np.ndarray, level: float, width: float) -> np.ndarray:
    if width <= 0:
        raise ValueError("the width must be positive")
    return np.interp(hu, [level - width / 2, level + width / 2], [0.0, 1.0])
