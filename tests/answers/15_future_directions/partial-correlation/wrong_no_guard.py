# expect: partial-correlation-confounded: raise a ValueError
def partial_correlation(x: np.ndarray, y: np.ndarray, confounders: np.ndarray) -> tuple[float, float]:
    from scipy.stats import t as student

    n, k = confounders.shape
    design = np.column_stack([np.ones(n), confounders])
    x, y = (part - design @ np.linalg.lstsq(design, part, rcond=None)[0] for part in (x, y))
    r = float(x @ y / np.sqrt((x @ x) * (y @ y)))
    nu = max(n - 2 - k, 1)
    return r, float(2 * student.sf(abs(r) * np.sqrt(nu / max(1 - r**2, 1e-12)), nu))
