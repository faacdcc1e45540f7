# expect: memory-bank-bad: nan passes as healthy
def bank_scores(bank: np.ndarray, features: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    from scipy.spatial.distance import cdist
    if len(bank) == 0 or bank.shape[1] != features.shape[2]:
        raise ValueError("bank and features don't fit")
    maps = cdist(np.nan_to_num(features).reshape(-1, features.shape[2]), np.nan_to_num(bank)).min(1).reshape(features.shape[:2])
    return maps, maps.max(1)
