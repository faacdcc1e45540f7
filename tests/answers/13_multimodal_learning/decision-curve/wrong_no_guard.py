# expect: decision-curve-bad: must raise a ValueError
def decision_curve(p: np.ndarray, y: np.ndarray, thresholds: np.ndarray) -> dict[str, np.ndarray]:
    n, prevalence = max(len(p), 1), float(np.mean(y))
    t = np.asarray(thresholds)
    treated = p[None] >= t[:, None]
    tp, fp = (treated & (y == 1)).sum(1), (treated & (y == 0)).sum(1)
    model = (tp - fp * t / (1 - t)) / n
    return {"model": model, "all": prevalence - (1 - prevalence) * t / (1 - t), "none": np.zeros(len(t))}
