def coral(source: np.ndarray, target: np.ndarray, ridge: float = 0.0) -> np.ndarray:
    from scipy.linalg import inv, sqrtm
    source, target = np.array(source, dtype=float), np.array(target, dtype=float)
    if source.ndim != 2 or source.shape[1:] != target.shape[1:] or min(len(source), len(target)) < 2 or ridge < 0 or not np.isfinite(source.sum() + target.sum()):
        raise ValueError("bad input")
    s, t = source - source.mean(0), target - target.mean(0)
    cs, ct = s.T @ s / (len(s) - 1) + ridge * np.eye(s.shape[1]), t.T @ t / (len(t) - 1) + ridge * np.eye(t.shape[1])
    if np.linalg.matrix_rank(cs) < len(cs):
        raise ValueError("give a ridge")
    return s @ inv(np.real(sqrtm(cs))) @ np.real(sqrtm(ct)) + target.mean(0)
