def average_precision_at(scores, labels, prevalence):
    scores, labels = np.asarray(scores, float), np.asarray(labels)
    if not 0 < prevalence < 1:
        raise ValueError("prevalence must be between 0 and 1")
    if not np.isfinite(scores).all():
        raise ValueError("scores must be finite")
    sick, healthy = scores[labels == 1], scores[labels == 0]
    if len(sick) == 0 or len(healthy) == 0:
        raise ValueError("both classes are needed")
    ap, before = 0.0, 0.0
    for t in np.unique(scores)[::-1]:
        tpr, fpr = (sick >= t).mean(), (healthy >= t).mean()
        precision = prevalence * tpr / (prevalence * tpr + (1 - prevalence) * fpr)
        ap += (tpr - before) * precision
        before = tpr
    return ap
