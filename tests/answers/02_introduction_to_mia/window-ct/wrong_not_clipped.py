# expect: window-ct-clip: clip
def window_ct(stored: np.ndarray, slope: float, intercept: float, centre: float, width: float) -> np.ndarray:
    hu = stored.astype(float) * slope + intercept
    return (hu - (centre - width / 2)) / width
