def window_ct(stored: np.ndarray, slope: float, intercept: float, centre: float, width: float) -> np.ndarray:
    """By np.interp, which clips by itself."""
    hu = np.asarray(stored, dtype=float) * float(slope) + float(intercept)
    return np.interp(hu, [centre - width / 2, centre + width / 2], [0.0, 1.0])
