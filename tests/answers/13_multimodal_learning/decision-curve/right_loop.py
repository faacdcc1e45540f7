def decision_curve(p: np.ndarray, y: np.ndarray, thresholds: np.ndarray) -> dict[str, np.ndarray]:
    if len(p) != len(y) or len(p) == 0 or not ((p >= 0) & (p <= 1)).all() or not ((thresholds > 0) & (thresholds < 1)).all():
        raise ValueError("bad input")
    n, prevalence = len(p), float(np.mean(y))
    out = {"model": [], "all": [], "none": []}
    for t in thresholds:
        w = 1 / (1 / t - 1)
        out["model"].append(sum(1.0 if label else -w for q, label in zip(p, y) if q >= t) / n)
        out["all"].append(prevalence - (1 - prevalence) * w)
        out["none"].append(0.0)
    return {name: np.array(values) for name, values in out.items()}
