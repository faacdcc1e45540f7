# expect: mahalanobis-places: own mean and covariance
def mahalanobis_maps(healthy: np.ndarray, new: np.ndarray, shrink: float) -> np.ndarray:
    if len(healthy) < 2 or shrink <= 0:
        raise ValueError("at least two healthy images and a positive shrink are needed")
    if healthy.shape[1:] != new.shape[1:]:
        raise ValueError("places or features differ")
    flat = healthy.reshape(-1, healthy.shape[2])
    inverse = np.linalg.inv(np.cov(flat, rowvar=False) + shrink * np.eye(healthy.shape[2]))
    step = new - flat.mean(0)
    return np.sqrt(np.einsum("mpd,de,mpe->mp", step, inverse, step))
