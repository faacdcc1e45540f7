def bank_scores(bank: np.ndarray, features: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    if len(bank) == 0 or bank.shape[1] != features.shape[2]:
        raise ValueError("bank and features don't fit")
    if not (np.isfinite(bank).all() and np.isfinite(features).all()):
        raise ValueError("features must be finite")
    from sklearn.neighbors import NearestNeighbors
    finder = NearestNeighbors(n_neighbors=1).fit(bank)
    maps = np.stack([finder.kneighbors(one)[0][:, 0] for one in features])
    return maps, np.max(maps, axis=1)
