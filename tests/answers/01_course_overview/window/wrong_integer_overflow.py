# expect: window-input: overflow
def window(hu: np.ndarray, level: float, width: float) -> np.ndarray:
    if width <= 0:
        raise ValueError("the width must be positive")

    lower = level - width // 2
    return np.clip((hu - lower) / width, 0, 1)
