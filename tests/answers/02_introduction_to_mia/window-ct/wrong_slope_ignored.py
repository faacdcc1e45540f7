# expect: window-ct-value, window-ct-overflow: slope 2
def window_ct(stored: np.ndarray, slope: float, intercept: float, centre: float, width: float) -> np.ndarray:
    hu = stored.astype(float) + intercept
    return np.clip((hu - (centre - width / 2)) / width, 0, 1)
