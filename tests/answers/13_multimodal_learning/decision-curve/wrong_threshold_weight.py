# expect: decision-curve-model: not t
def decision_curve(p: np.ndarray, y: np.ndarray, thresholds: np.ndarray) -> dict[str, np.ndarray]:
    if len(p) != len(y) or len(p) == 0 or not ((p >= 0) & (p <= 1)).all() or not ((thresholds > 0) & (thresholds < 1)).all():
        raise ValueError("bad input")
    n, prevalence = len(p), float(np.mean(y))
    t = np.asarray(thresholds)
    treated = p[None] >= t[:, None]
    tp, fp = (treated & (y == 1)).sum(1), (treated & (y == 0)).sum(1)
    model = (tp - fp * t) / n
    return {"model": model, "all": prevalence - (1 - prevalence) * t / (1 - t), "none": np.zeros(len(t))}
