# expect: prevalence-ap-screening: must enter the precision
def average_precision_at(scores: np.ndarray, labels: np.ndarray, prevalence: float) -> float:
    scores, labels = np.asarray(scores, dtype=float), np.asarray(labels)
    if len(np.unique(labels)) < 2 or not np.isfinite(scores).all() or not 0 < prevalence < 1:
        raise ValueError("bad input")
    from sklearn.metrics import average_precision_score

    return float(average_precision_score(labels, scores))
