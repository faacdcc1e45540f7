# expect: robust-median-each: one hospital
def median_update(updates: np.ndarray) -> np.ndarray:
    updates = updates[np.isfinite(updates).all(1)]
    if len(updates) == 0:
        raise ValueError("no hospital")
    k = len(updates)
    order = np.argsort(np.linalg.norm(updates, axis=1), kind="stable")
    return updates[order[k // 2]] if k % 2 else np.median(updates, axis=0)
