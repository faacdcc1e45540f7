# expect: squared-mmd-unbiased: never below 0
def squared_mmd(x: np.ndarray, z: np.ndarray, gamma: float) -> float:
    if len(x) < 2 or len(z) < 2 or x.shape[1] != z.shape[1] or not np.isfinite(x).all() or not np.isfinite(z).all() or gamma <= 0:
        raise ValueError("bad input")
    def k(a, b):
        return np.exp(-gamma * ((a[:, None] - b[None]) ** 2).sum(-1))
    n, m = len(x), len(z)
    within = (k(x, x).sum() - n) / (n * (n - 1)) + (k(z, z).sum() - m) / (m * (m - 1))
    return float(max(within - 2 * k(x, z).mean(), 0))
