def squared_mmd(x: np.ndarray, z: np.ndarray, gamma: float) -> float:
    if len(x) < 2 or len(z) < 2 or x.shape[1] != z.shape[1] or not np.isfinite(x).all() or not np.isfinite(z).all() or gamma <= 0:
        raise ValueError("bad input")
    from scipy.spatial.distance import cdist, pdist
    return float(np.exp(-gamma * pdist(x) ** 2).mean() + np.exp(-gamma * pdist(z) ** 2).mean() - 2 * np.exp(-gamma * cdist(x, z) ** 2).mean())
