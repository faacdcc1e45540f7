def median_update(updates: np.ndarray) -> np.ndarray:
    updates = updates[np.isfinite(updates).all(1)]
    if len(updates) == 0:
        raise ValueError("no hospital")
    return torch.quantile(torch.tensor(updates), 0.5, dim=0).numpy()
