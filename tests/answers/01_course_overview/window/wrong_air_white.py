# expect: window-ends, window-input: turned white
def window(hu: np.ndarray, level: float, width: float) -> np.ndarray:
    if width <= 0:
        raise ValueError("the width must be positive")

    lower = level - width / 2
    shown = (np.asarray(hu, dtype=float) - lower) / width
    return np.where((shown < 0) | (shown > 1), 1.0, shown)
