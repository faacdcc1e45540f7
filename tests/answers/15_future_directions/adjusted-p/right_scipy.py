def adjusted_p(p: np.ndarray) -> np.ndarray:
    p = np.asarray(p, dtype=float)
    if p.ndim != 1 or len(p) == 0 or np.isnan(p).any() or p.min() < 0 or p.max() > 1:
        raise ValueError("p-values from 0 to 1 are needed")
    m = len(p)
    from scipy.stats import false_discovery_control

    return false_discovery_control(p, method="bh")
