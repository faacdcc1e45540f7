# expect: prevalence-ap-value: ordinary average precision
def average_precision_at(scores, labels, prevalence):
    if not 0 < prevalence < 1 or len(np.unique(labels)) < 2 or not np.isfinite(scores).all():
        raise ValueError("bad input")
    sick, healthy = scores[labels == 1], scores[labels == 0]
    r, p = [0.0], []
    for t in np.unique(scores)[::-1]:
        tpr, fpr = (sick >= t).mean(), (healthy >= t).mean()
        r.append(tpr); p.append(prevalence * tpr / (prevalence * tpr + (1 - prevalence) * fpr))
    p = np.maximum.accumulate(p[::-1])[::-1]
    return float((np.diff(r) * p).sum())
