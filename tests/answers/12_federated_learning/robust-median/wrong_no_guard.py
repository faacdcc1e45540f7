# expect: robust-median-finite: raise a ValueError
def median_update(updates: np.ndarray) -> np.ndarray:
    updates = updates[np.isfinite(updates).all(1)]
    return np.median(updates, axis=0) if len(updates) else np.zeros(updates.shape[1])
