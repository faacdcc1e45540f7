# expect: window-value: stretched to the darkest
def window(hu: np.ndarray, level: float, width: float) -> np.ndarray:
    if width <= 0:
        raise ValueError("the width must be positive")

    clipped = np.clip(np.asarray(hu, dtype=float), level - width / 2, level + width / 2)
    return (clipped - clipped.min()) / max(clipped.max() - clipped.min(), 1e-9)
