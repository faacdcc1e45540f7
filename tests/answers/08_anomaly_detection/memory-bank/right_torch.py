def bank_scores(bank: np.ndarray, features: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    if len(bank) == 0 or bank.shape[1] != features.shape[2]:
        raise ValueError("bank and features don't fit")
    if not (np.isfinite(bank).all() and np.isfinite(features).all()):
        raise ValueError("features must be finite")
    x, b = torch.as_tensor(features), torch.as_tensor(bank)
    maps = torch.cdist(x, b[None].expand(len(x), -1, -1), compute_mode="donot_use_mm_for_euclid_dist").amin(2)
    return maps.numpy(), maps.amax(1).numpy()
