def site_targets(p: np.ndarray, y: np.ndarray, threshold: float, trust: float) -> tuple[np.ndarray, np.ndarray, float]:
    p, y = np.asarray(p, dtype=float), np.asarray(y)
    if p.shape != y.shape or not ((p >= 0) & (p <= 1)).all() or not 0.5 <= threshold <= 1 or not 0 <= trust <= 1:
        raise ValueError("input")
    target, weight = np.zeros(len(p), dtype=int), np.zeros(len(p))
    for i, (prob, label) in enumerate(zip(p, y, strict=True)):
        if label != -1:
            target[i], weight[i] = label, 1
        elif prob >= threshold or 1 - prob >= threshold:
            target[i], weight[i] = round(prob), trust
    return target, weight, weight.sum()
