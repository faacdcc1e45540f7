# expect: coral-covariance: n in the denominator
def coral(source: np.ndarray, target: np.ndarray, ridge: float = 0.0) -> np.ndarray:
    if len(source) < 2 or len(target) < 2 or source.shape[1] != target.shape[1] or ridge < 0:
        raise ValueError("bad input")
    a, b = source - source.mean(0), target - target.mean(0)
    if not np.isfinite(a).all() or not np.isfinite(b).all():
        raise ValueError("not finite")
    (n, d), m = a.shape, len(b)
    ws, vs = np.linalg.eigh(a.T @ a / n + ridge * np.eye(d))
    wt, vt = np.linalg.eigh(b.T @ b / m + ridge * np.eye(d))
    if ws.min() < 1e-10:
        raise ValueError("can't be inverted")
    return a @ (vs * ws**-0.5) @ vs.T @ (vt * np.sqrt(np.clip(wt, 0, None))) @ vt.T + target.mean(0)
