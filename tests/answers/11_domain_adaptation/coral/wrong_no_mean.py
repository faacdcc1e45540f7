# expect: coral-covariance: move it to the target's mean
def coral(source: np.ndarray, target: np.ndarray, ridge: float = 0.0) -> np.ndarray:
    if source.ndim != 2 or source.shape[1:] != target.shape[1:] or min(len(source), len(target)) < 2 or ridge < 0:
        raise ValueError("bad input")
    if not np.isfinite(source).all() or not np.isfinite(target).all():
        raise ValueError("not finite")
    d = source.shape[1]
    cs = np.cov(source, rowvar=False).reshape(d, d) + ridge * np.eye(d)
    ct = np.cov(target, rowvar=False).reshape(d, d) + ridge * np.eye(d)
    if np.linalg.eigvalsh(cs)[0] < 1e-10:
        raise ValueError("not invertible")

    def power(c, p):
        values, vectors = np.linalg.eigh(c)
        return (vectors * np.clip(values, 0, None) ** p) @ vectors.T
    return (source - source.mean(0)) @ power(cs, -0.5) @ power(ct, 0.5)
