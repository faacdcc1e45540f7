# expect: mahalanobis-value: you multiply by the covariance
def mahalanobis_maps(healthy: np.ndarray, new: np.ndarray, shrink: float) -> np.ndarray:
    if len(healthy) < 2 or shrink <= 0:
        raise ValueError("at least two healthy images and a positive shrink are needed")
    if healthy.shape[1:] != new.shape[1:]:
        raise ValueError("places or features differ")
    out = np.zeros(new.shape[:2])
    for p in range(new.shape[1]):
        cov = np.cov(healthy[:, p], rowvar=False) + shrink * np.eye(healthy.shape[2])
        step = new[:, p] - healthy[:, p].mean(0)
        out[:, p] = np.sqrt(np.sum(step @ cov * step, axis=1))
    return out
