# expect: robust-median-finite: made the result nan
def median_update(updates: np.ndarray) -> np.ndarray:
    if len(updates) == 0 or not np.isfinite(updates).any():
        raise ValueError('no hospital')
    return np.median(updates, axis=0)
