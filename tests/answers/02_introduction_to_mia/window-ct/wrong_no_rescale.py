# expect: window-ct-value, window-ct-clip, window-ct-overflow: slope and intercept
def window_ct(stored: np.ndarray, slope: float, intercept: float, centre: float, width: float) -> np.ndarray:
    return np.clip((stored.astype(float) - (centre - width / 2)) / width, 0, 1)
