# expect: window-ct-value, window-ct-clip: smallest and largest
def window_ct(stored: np.ndarray, slope: float, intercept: float, centre: float, width: float) -> np.ndarray:
    hu = stored.astype(float) * slope + intercept
    hu = np.clip(hu, centre - width / 2, centre + width / 2)
    return (hu - hu.min()) / (hu.max() - hu.min())
