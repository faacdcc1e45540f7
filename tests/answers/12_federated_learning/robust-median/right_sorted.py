def median_update(updates: np.ndarray) -> np.ndarray:
    updates = updates[np.isfinite(updates).all(1)]
    if len(updates) == 0:
        raise ValueError("no hospital")
    ordered, k = np.sort(updates, axis=0), len(updates)
    return (ordered[(k - 1) // 2] + ordered[k // 2]) / 2
