# expect: squared-mmd-unbiased: your estimate is biased
def squared_mmd(x: np.ndarray, z: np.ndarray, gamma: float) -> float:
    if len(x) < 2 or len(z) < 2 or x.shape[1] != z.shape[1] or not np.isfinite(x).all() or not np.isfinite(z).all() or gamma <= 0:
        raise ValueError("bad input")
    def k(a, b):
        return np.exp(-gamma * ((a[:, None] - b[None]) ** 2).sum(-1))
    n, m = len(x), len(z)
    return float((k(x, x).sum() - n) / n**2 + (k(z, z).sum() - m) / m**2 - 2 * k(x, z).mean())
