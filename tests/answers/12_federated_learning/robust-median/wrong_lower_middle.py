# expect: robust-median-value: lower of the two middle
def median_update(updates: np.ndarray) -> np.ndarray:
    updates = updates[np.isfinite(updates).all(1)]
    if len(updates) == 0:
        raise ValueError("no hospital")
    return torch.tensor(updates).median(0).values.numpy()
