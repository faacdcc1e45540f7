def site_targets(p: np.ndarray, y: np.ndarray, threshold: float, trust: float) -> tuple[np.ndarray, np.ndarray, float]:
    p, y = np.asarray(p, dtype=float), np.asarray(y)
    if p.shape != y.shape or not ((p >= 0) & (p <= 1)).all() or not 0.5 <= threshold <= 1 or not 0 <= trust <= 1:
        raise ValueError("input")
    known = y != -1
    weight = known + ~known * ((p >= threshold) | (1 - p >= threshold)) * trust
    target = known * y + ~known * (p > 0.5)
    return target, weight, float(np.sum(weight))
