def bank_scores(bank: np.ndarray, features: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    if len(bank) == 0 or bank.shape[1] != features.shape[2]:
        raise ValueError("bank and features don't fit")
    if not (np.isfinite(bank).all() and np.isfinite(features).all()):
        raise ValueError("features must be finite")
    x = torch.as_tensor(features)
    maps = torch.cdist(x.flatten(0, 1), torch.as_tensor(bank)).min(1).values.view(x.shape[:2])
    return maps, maps.max(1).values
