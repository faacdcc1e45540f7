# expect: prevalence-ap-screening: count the three healthy ones three times
def average_precision_at(scores, labels, prevalence):
    if not 0 < prevalence < 1 or len(np.unique(labels)) < 2 or not np.isfinite(scores).all():
        raise ValueError("bad input")
    from sklearn.metrics import average_precision_score
    return average_precision_score(labels, scores, sample_weight=np.where(labels == 1, prevalence, 1 - prevalence))
