# expect: window-input: the scan itself was changed
def window(hu: np.ndarray, level: float, width: float) -> np.ndarray:
    if width <= 0:
        raise ValueError("the width must be positive")

    values = hu if hu.dtype.kind == "f" else hu.astype(float)
    values -= level - width / 2
    values /= width
    np.clip(values, 0, 1, out=values)
    return values
