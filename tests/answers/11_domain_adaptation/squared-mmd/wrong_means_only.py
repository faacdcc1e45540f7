# expect: squared-mmd-unbiased: never below 0
def squared_mmd(x: np.ndarray, z: np.ndarray, gamma: float) -> float:
    if len(x) < 2 or len(z) < 2 or x.shape[1] != z.shape[1] or not np.isfinite(x).all() or not np.isfinite(z).all() or gamma <= 0:
        raise ValueError("bad input")
    return float(((x.mean(0) - z.mean(0)) ** 2).sum())
