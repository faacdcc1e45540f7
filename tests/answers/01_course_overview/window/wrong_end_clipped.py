# expect: window-ends, window-input: turned black
def window(hu: np.ndarray, level: float, width: float) -> np.ndarray:
    if width <= 0:
        raise ValueError("the width must be positive")

    lower, upper = level - width / 2, level + width / 2
    shown = (np.asarray(hu, dtype=float) - lower) / width
    shown[hu < lower] = 0
    shown[hu > upper] = 0
    return shown
