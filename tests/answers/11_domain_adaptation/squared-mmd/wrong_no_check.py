# expect: squared-mmd-bad: raise a ValueError
def squared_mmd(x: np.ndarray, z: np.ndarray, gamma: float) -> float:
    def k(a, b):
        return np.exp(-gamma * ((a[:, None] - b[None]) ** 2).sum(-1))
    n, m = len(x), len(z)
    within = (k(x, x).sum() - n) / (n * (n - 1)) + (k(z, z).sum() - m) / (m * (m - 1))
    return float(within - 2 * k(x, z).mean())
