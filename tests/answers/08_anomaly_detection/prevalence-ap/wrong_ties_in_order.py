# expect: prevalence-ap-ties: equal scores come together
def average_precision_at(scores: np.ndarray, labels: np.ndarray, prevalence: float) -> float:
    scores, labels = np.asarray(scores, dtype=float), np.asarray(labels)
    if len(np.unique(labels)) < 2 or not np.isfinite(scores).all() or not 0 < prevalence < 1:
        raise ValueError("bad input")
    order = np.argsort(-scores, kind="stable")
    y = labels[order] == 1
    tpr, fpr = np.cumsum(y) / y.sum(), np.cumsum(~y) / (~y).sum()
    precision = prevalence * tpr / (prevalence * tpr + (1 - prevalence) * fpr)
    return float(np.sum(np.diff(np.r_[0, tpr]) * precision))
