# expect: memory-bank-bad: must raise a ValueError
def bank_scores(bank: np.ndarray, features: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    from scipy.spatial.distance import cdist
    d = cdist(features.reshape(-1, features.shape[2]), bank)
    maps = d.min(1).reshape(features.shape[:2])
    return maps, maps.max(1)
