def operating_point(
    val_scores: np.ndarray,
    val_labels: np.ndarray,
    test_scores: np.ndarray,
    test_labels: np.ndarray,
    prevalence: float,
    cost_miss: float,
    cost_false_alarm: float,
) -> tuple[float, float]:
    """Choose the cheapest threshold on validation, and report what it costs on test.

    Args:
        val_scores, test_scores: (N,) and (M,), higher is more suspicious. A patient is called back when score >= threshold.
        val_labels, test_labels: (N,) and (M,) integers, 1 sick and 0 healthy.
        prevalence: share of sick patients in the clinic, between 0 and 1.
        cost_miss, cost_false_alarm: cost of one missed sick patient and of one healthy patient called back.

    Returns:
        The threshold (a number, or inf to call nobody), and the expected cost per patient on test at that threshold:
        prevalence * cost_miss * FNR + (1 - prevalence) * cost_false_alarm * FPR.
        If several thresholds cost the same on validation: the highest, which troubles the fewest patients.

    Raises:
        ValueError: a set has no sick or no healthy patient, so that a rate does not exist.
    """
    from sklearn.metrics import roc_curve

    if len(np.unique(val_labels)) < 2 or len(np.unique(test_labels)) < 2:
        raise ValueError("both classes are needed")
    fpr, tpr, thresholds = roc_curve(val_labels, val_scores)
    t = thresholds[np.argmin(prevalence * cost_miss * (1 - tpr) + (1 - prevalence) * cost_false_alarm * fpr)]
    fnr = np.mean(test_scores[test_labels == 1] < t)
    fpr = np.mean(test_scores[test_labels == 0] >= t)
    return t, prevalence * cost_miss * fnr + (1 - prevalence) * cost_false_alarm * fpr
