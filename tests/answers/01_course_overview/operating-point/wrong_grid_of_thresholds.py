# expect: operating-point-value: not every score a candidate
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
    for labels in (val_labels, test_labels):
        if not np.any(labels == 1) or not np.any(labels == 0):
            raise ValueError("both sick and healthy patients are needed")

    def cost(scores, labels, t):
        fnr = np.mean(scores[labels == 1] < t)
        fpr = np.mean(scores[labels == 0] >= t)
        return prevalence * cost_miss * fnr + (1 - prevalence) * cost_false_alarm * fpr

    candidates = np.append(np.linspace(val_scores.min(), val_scores.max(), 201), np.inf)
    costs = [cost(val_scores, val_labels, t) for t in candidates]
    best = candidates[::-1][np.argmin(costs[::-1])]
    return float(best), float(cost(test_scores, test_labels, best))
