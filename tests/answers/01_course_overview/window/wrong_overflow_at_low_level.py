# expect: window-input: integer overflow
def window(hu: np.ndarray, level: float, width: float) -> np.ndarray:
    """Map CT numbers to display brightness.

    Args:
        hu: CT numbers in HU, any shape, float or integer (CT files store int16); not changed.
        level: centre of the window in HU, where brightness is 0.5.
        width: from black to white in HU, more than 0.

    Returns:
        Brightness from 0 to 1, float, same shape.

    Raises:
        ValueError: the width is not positive.
    """
    if width <= 0:
        raise ValueError("width must be positive")
    return np.clip((hu - level) / width + 0.5, 0, 1)
