# expect: memory-bank-image: a mean drowns
def bank_scores(bank: np.ndarray, features: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    if len(bank) == 0 or bank.shape[1] != features.shape[2]:
        raise ValueError("bank and features don't fit")
    if not (np.isfinite(bank).all() and np.isfinite(features).all()):
        raise ValueError("features must be finite")
    from scipy.spatial.distance import cdist
    d = cdist(features.reshape(-1, features.shape[2]), bank)
    maps = d.min(1).reshape(features.shape[:2])
    return maps, maps.mean(1)
