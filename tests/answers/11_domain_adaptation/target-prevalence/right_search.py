def target_prevalence(source_labels: np.ndarray, source_calls: np.ndarray, target_calls: np.ndarray) -> float:
    y, c, t = np.asarray(source_labels).astype(int), np.asarray(source_calls).astype(float), np.asarray(target_calls).astype(float)
    if len(t) == 0 or y.min() == y.max():
        raise ValueError("bad input")
    tpr, fpr, share = c[y == 1].mean(), c[y == 0].mean(), t.mean()
    if tpr <= fpr:
        raise ValueError("no information")
    from scipy.optimize import brentq
    gap = lambda pi: pi * tpr + (1 - pi) * fpr - share
    if gap(0) >= 0:
        return 0.0
    if gap(1) <= 0:
        return 1.0
    return float(brentq(gap, 0, 1))
