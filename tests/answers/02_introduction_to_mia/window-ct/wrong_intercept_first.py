# expect: window-ct-value, window-ct-overflow: in that order
def window_ct(stored: np.ndarray, slope: float, intercept: float, centre: float, width: float) -> np.ndarray:
    hu = (stored.astype(float) + intercept) * slope
    return np.clip((hu - (centre - width / 2)) / width, 0, 1)
