def auc(scores: np.ndarray, labels: np.ndarray) -> float:
    sick = labels == 1
    if sick.all() or not sick.any():
        raise ValueError("only one class is present, so there is no pair to compare")
    if np.isnan(scores).any():
        raise ValueError("at least one of the scores is nan")
    area = tpr = fpr = 0.0
    for threshold in np.unique(scores)[::-1]:
        new_tpr, new_fpr = (scores[sick] >= threshold).mean(), (scores[~sick] >= threshold).mean()
        area += (new_fpr - fpr) * (tpr + new_tpr) / 2
        tpr, fpr = new_tpr, new_fpr
    return float(area)
