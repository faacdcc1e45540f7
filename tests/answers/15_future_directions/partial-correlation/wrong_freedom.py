# expect: partial-correlation-freedom: each confounder costs
def partial_correlation(x: np.ndarray, y: np.ndarray, confounders: np.ndarray) -> tuple[float, float]:
    from scipy.stats import t as student

    n, k = confounders.shape
    if len(x) != n or len(y) != n or n - 2 - k < 1 or not (np.isfinite(x).all() and np.isfinite(y).all() and np.isfinite(confounders).all()):
        raise ValueError("the same patients, finite values, and a degree of freedom are needed")
    design = np.column_stack([np.ones(n), confounders])
    x, y = (part - design @ np.linalg.lstsq(design, part, rcond=None)[0] for part in (x, y))
    r = float(x @ y / np.sqrt((x @ x) * (y @ y)))
    nu = n - 2
    return r, float(2 * student.sf(abs(r) * np.sqrt(nu / (1 - r**2)), nu))
