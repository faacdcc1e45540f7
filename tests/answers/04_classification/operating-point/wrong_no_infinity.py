# expect: operating-point-ties: threshold is infinity
def operating_point(
    val_scores: np.ndarray, val_labels: np.ndarray, test_scores: np.ndarray, test_labels: np.ndarray, specificity: float = 0.9
) -> dict[str, float]:
    """Fix a threshold on validation for a wanted specificity, and measure on test what it does.

    Args:
        val_scores, test_scores: (N,) and (M,), higher is more suspicious. A score of at least the threshold is positive.
        val_labels, test_labels: (N,) and (M,), 1 for sick, 0 for healthy.
        specificity: wanted on validation at least, 0 to 1.

    Returns:
        {"threshold": lowest of the distinct validation scores and infinity that reaches the wanted specificity on VALIDATION,
        "sensitivity": on TEST, "specificity": on TEST}.
    """
    healthy = val_scores[val_labels == 0]
    candidates = np.unique(val_scores)
    ok = [t for t in candidates if (healthy < t).mean() >= specificity]
    t = ok[0] if ok else candidates[-1]
    pos = test_scores >= t
    return {"threshold": t, "sensitivity": pos[test_labels == 1].mean(), "specificity": 1 - pos[test_labels == 0].mean()}
