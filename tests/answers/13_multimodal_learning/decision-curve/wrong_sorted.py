# expect: decision-curve-model: the model's net benefit is off
def decision_curve(p, y, thresholds):
    if p.shape != y.shape or p.size == 0 or not ((0 <= p) & (p <= 1)).all() or not ((0 < thresholds) & (thresholds < 1)).all():
        raise ValueError("no")
    thresholds = np.sort(thresholds)
    gain = np.where(y[None] == 1, 1.0, -(thresholds / (1 - thresholds))[:, None])
    treated = p[None] >= thresholds[:, None]
    return {"model": (gain * treated).mean(1), "all": gain.mean(1), "none": 0 * thresholds}
