# expect: site-targets-input: a nan among the probabilities
def site_targets(p: np.ndarray, y: np.ndarray, threshold: float, trust: float) -> tuple[np.ndarray, np.ndarray, float]:
    p, y = np.asarray(p, dtype=float), np.asarray(y)
    sure = np.maximum(p, 1 - p) >= threshold
    target = np.where(y >= 0, y, p >= 0.5).astype(int)
    weight = np.where(y >= 0, 1.0, np.where(sure, trust, 0.0))
    return target, weight, float(weight.sum())
