def partial_correlation(x: np.ndarray, y: np.ndarray, confounders: np.ndarray) -> tuple[float, float]:
    from scipy.stats import t as student

    n, k = confounders.shape
    if len(x) != n or len(y) != n or n - 2 - k < 1 or not (np.isfinite(x).all() and np.isfinite(y).all() and np.isfinite(confounders).all()):
        raise ValueError("the same patients, finite values, and a degree of freedom are needed")
    scaled = np.column_stack([x, y, confounders])
    inverse = np.linalg.inv(np.cov(scaled.T))
    r = float(-inverse[0, 1] / np.sqrt(inverse[0, 0] * inverse[1, 1]))
    nu = n - 2 - k
    return r, float(2 * student.cdf(-abs(r) * np.sqrt(nu / (1 - r**2)), nu))
