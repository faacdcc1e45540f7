def mahalanobis_maps(healthy: np.ndarray, new: np.ndarray, shrink: float) -> np.ndarray:
    if len(healthy) < 2 or shrink <= 0:
        raise ValueError("at least two healthy images and a positive shrink are needed")
    if healthy.shape[1:] != new.shape[1:]:
        raise ValueError("places or features differ")
    from scipy.spatial.distance import cdist
    maps = []
    for p in range(new.shape[1]):
        inverse = np.linalg.inv(np.cov(healthy[:, p].T) + shrink * np.identity(new.shape[2]))
        maps.append(cdist(new[:, p], healthy[:, p].mean(0, keepdims=True), "mahalanobis", VI=inverse)[:, 0])
    return np.stack(maps, axis=1)
