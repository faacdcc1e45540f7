# expect: prevalence-ap-value: should be 5/6
def average_precision_at(scores: np.ndarray, labels: np.ndarray, prevalence: float) -> float:
    scores, labels = np.asarray(scores, dtype=float), np.asarray(labels)
    if len(np.unique(labels)) < 2 or not np.isfinite(scores).all() or not 0 < prevalence < 1:
        raise ValueError("bad input")
    from sklearn.metrics import auc, precision_recall_curve

    weight = np.where(labels == 1, prevalence / (labels == 1).sum(), (1 - prevalence) / (labels == 0).sum())
    precision, recall, _ = precision_recall_curve(labels, scores, sample_weight=weight)
    return float(auc(recall, precision))
