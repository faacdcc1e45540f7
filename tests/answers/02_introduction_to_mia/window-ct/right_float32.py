def window_ct(stored: np.ndarray, slope: float, intercept: float, centre: float, width: float) -> np.ndarray:
    hu = slope * stored.astype(np.float32) + intercept
    low, high = centre - width / 2, centre + width / 2
    return (np.minimum(np.maximum(hu, low), high) - low) / (high - low)
