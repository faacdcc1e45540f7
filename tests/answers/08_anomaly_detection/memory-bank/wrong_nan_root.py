# expect: memory-bank-rounding: gets nan
def bank_scores(bank: np.ndarray, features: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    if len(bank) == 0 or bank.shape[1] != features.shape[2]:
        raise ValueError("bank and features don't fit")
    if not (np.isfinite(bank).all() and np.isfinite(features).all()):
        raise ValueError("features must be finite")
    flat = features.reshape(-1, features.shape[2])
    squared = (flat**2).sum(1)[:, None] - 2 * flat @ bank.T + (bank**2).sum(1)
    with np.errstate(invalid="ignore"):
        maps = np.sqrt(squared).min(1).reshape(features.shape[:2])
    return maps, maps.max(1)
