# expect: window-ct-value: slope
def window_ct(stored: np.ndarray, slope: float, intercept: float, centre: float, width: float) -> np.ndarray:
    hu = stored.astype(np.float32).astype(np.float16) * np.float16(slope) + np.float16(intercept)
    return np.clip((hu.astype(float) - (centre - width / 2)) / width, 0, 1)
