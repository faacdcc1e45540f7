# expect: window-ct-value, window-ct-clip: smallest and largest
def window_ct(stored: np.ndarray, slope: float, intercept: float, centre: float, width: float) -> np.ndarray:
    hu = np.clip(stored.astype(float) * slope + intercept, centre - width / 2, centre + width / 2)
    return (hu - hu.min()) / max(hu.max() - hu.min(), 1e-9)
