def squared_mmd(x: np.ndarray, z: np.ndarray, gamma: float) -> float:
    if len(x) < 2 or len(z) < 2 or x.shape[1] != z.shape[1] or not np.isfinite(x).all() or not np.isfinite(z).all() or gamma <= 0:
        raise ValueError("bad input")
    from sklearn.metrics.pairwise import rbf_kernel
    kx, kz = rbf_kernel(x, gamma=gamma), rbf_kernel(z, gamma=gamma)
    np.fill_diagonal(kx, 0)
    np.fill_diagonal(kz, 0)
    n, m = len(x), len(z)
    return kx.sum() / n / (n - 1) + kz.sum() / m / (m - 1) - 2 * rbf_kernel(x, z, gamma=gamma).mean()
