# expect: memory-bank-nearest: distances to the nearest stored patch are off
def bank_scores(bank: np.ndarray, features: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    if len(bank) == 0 or bank.shape[1] != features.shape[2]:
        raise ValueError("bank and features don't fit")
    if not (np.isfinite(bank).all() and np.isfinite(features).all()):
        raise ValueError("features must be finite")
    from scipy.spatial.distance import cdist
    maps = []
    for i, one in enumerate(features):
        rest = np.delete(features, i, axis=0).reshape(-1, features.shape[2])
        maps.append(cdist(one, np.concatenate([bank, rest])).min(1))
    maps = np.stack(maps)
    return maps, maps.max(1)
