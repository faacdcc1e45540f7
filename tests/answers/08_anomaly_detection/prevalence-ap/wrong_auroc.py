# expect: prevalence-ap-value: is the AUROC
def average_precision_at(scores: np.ndarray, labels: np.ndarray, prevalence: float) -> float:
    scores, labels = np.asarray(scores, dtype=float), np.asarray(labels)
    if len(np.unique(labels)) < 2 or not np.isfinite(scores).all() or not 0 < prevalence < 1:
        raise ValueError("bad input")
    from sklearn.metrics import roc_auc_score

    return float(roc_auc_score(labels, scores))
