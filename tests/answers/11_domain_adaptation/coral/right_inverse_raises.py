def coral(source: np.ndarray, target: np.ndarray, ridge: float = 0.0) -> np.ndarray:
    if len(source) < 2 or len(target) < 2 or source.shape[1] != target.shape[1] or ridge < 0:
        raise ValueError("bad input")
    a, b = source - source.mean(0), target - target.mean(0)
    if not np.isfinite(a).all() or not np.isfinite(b).all():
        raise ValueError("not finite")
    (n, d), m = a.shape, len(b)
    from scipy.linalg import sqrtm

    # numpy's LinAlgError for a singular matrix is a ValueError
    inverse = np.linalg.inv(a.T @ a / (n - 1) + ridge * np.eye(d))
    return a @ np.real(sqrtm(inverse)) @ np.real(sqrtm(b.T @ b / (m - 1) + ridge * np.eye(d))) + target.mean(0)
