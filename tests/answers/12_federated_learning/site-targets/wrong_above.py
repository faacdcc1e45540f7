# expect: site-targets-films: not above it
def site_targets(p: np.ndarray, y: np.ndarray, threshold: float, trust: float) -> tuple[np.ndarray, np.ndarray, float]:
    if p.shape != y.shape or not ((p >= 0) & (p <= 1)).all() or not 0.5 <= threshold <= 1 or not 0 <= trust <= 1:
        raise ValueError("input")
    sure = np.maximum(p, 1 - p) > threshold
    weight = np.where(y >= 0, 1.0, np.where(sure, trust, 0.0))
    return np.where(y >= 0, y, p >= 0.5).astype(int), weight, float(weight.sum())
