# expect: robust-median-value: one value for each coordinate
def median_update(updates: np.ndarray) -> np.ndarray:
    updates = updates[np.isfinite(updates).all(1)]
    if len(updates) == 0:
        raise ValueError("no hospital")
    return np.median(updates)
