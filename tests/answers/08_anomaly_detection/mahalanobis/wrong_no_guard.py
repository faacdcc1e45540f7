# expect: mahalanobis-alone: must raise a ValueError
def mahalanobis_maps(healthy: np.ndarray, new: np.ndarray, shrink: float) -> np.ndarray:
    out = np.zeros(new.shape[:2])
    for p in range(new.shape[1]):
        cov = np.cov(healthy[:, p], rowvar=False) + shrink * np.eye(healthy.shape[2])
        step = new[:, p] - healthy[:, p].mean(0)
        out[:, p] = np.sqrt(np.sum(step @ np.linalg.inv(cov) * step, axis=1))
    return out
