# expect: prevalence-ap-ties: raise a ValueError
def average_precision_at(scores: np.ndarray, labels: np.ndarray, prevalence: float) -> float:
    scores, labels = np.asarray(scores, dtype=float), np.asarray(labels)
    total, last = 0.0, 0.0
    for t in np.unique(scores)[::-1]:
        tpr, fpr = (scores[labels == 1] >= t).sum() / max((labels == 1).sum(), 1), (scores[labels == 0] >= t).sum() / max((labels == 0).sum(), 1)
        precision = prevalence * tpr / max(prevalence * tpr + (1 - prevalence) * fpr, 1e-12)
        total, last = total + (tpr - last) * precision, tpr
    return float(total)
