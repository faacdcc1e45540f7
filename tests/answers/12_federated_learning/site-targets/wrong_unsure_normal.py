# expect: site-targets-films: they are unknown
def site_targets(p: np.ndarray, y: np.ndarray, threshold: float, trust: float) -> tuple[np.ndarray, np.ndarray, float]:
    p, y = np.asarray(p, dtype=float), np.asarray(y)
    if p.shape != y.shape or not ((p >= 0) & (p <= 1)).all() or not 0.5 <= threshold <= 1 or not 0 <= trust <= 1:
        raise ValueError("input")
    sure = np.maximum(p, 1 - p) >= threshold
    target = np.where(y >= 0, y, p >= threshold).astype(int)
    weight = np.where(y >= 0, 1.0, trust)
    return target, weight, float(weight.sum())
