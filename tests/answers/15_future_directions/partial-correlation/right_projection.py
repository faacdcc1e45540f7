def partial_correlation(x: np.ndarray, y: np.ndarray, confounders: np.ndarray) -> tuple[float, float]:
    from scipy.stats import t as student

    n, k = confounders.shape
    if len(x) != n or len(y) != n or n - 2 - k < 1 or not (np.isfinite(x).all() and np.isfinite(y).all() and np.isfinite(confounders).all()):
        raise ValueError("the same patients, finite values, and a degree of freedom are needed")
    basis = np.linalg.qr(np.column_stack([np.ones(n), confounders]))[0]
    left = np.eye(n) - basis @ basis.T
    one, two = left @ x, left @ y
    r = float(np.corrcoef(one, two)[0, 1])
    nu = n - 2 - k
    return r, float(2 * student.sf(abs(r) * np.sqrt(nu / (1 - r**2)), nu))
