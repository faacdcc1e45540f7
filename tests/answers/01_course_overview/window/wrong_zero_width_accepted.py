# expect: window-input: width of 0
def window(hu: np.ndarray, level: float, width: float) -> np.ndarray:
    lower = level - width / 2
    return np.clip((np.asarray(hu, dtype=float) - lower) / max(width, 1e-6), 0, 1)
