# expect: window-ct-clip: white
def window_ct(stored: np.ndarray, slope: float, intercept: float, centre: float, width: float) -> np.ndarray:
    hu = stored.astype(float) * slope + intercept
    grey = (hu - (centre - width / 2)) / width
    grey[(grey < 0) | (grey > 1)] = 0
    return grey
