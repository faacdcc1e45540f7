# expect: operating-point-honest: not on validation
def operating_point(
    val_scores: np.ndarray,
    val_labels: np.ndarray,
    test_scores: np.ndarray,
    test_labels: np.ndarray,
    prevalence: float,
    cost_miss: float,
    cost_false_alarm: float,
) -> tuple[float, float]:
    for labels in (val_labels, test_labels):
        if not (labels == 1).any() or not (labels == 0).any():
            raise ValueError("each set needs sick and healthy patients")

    def cost(t, scores, labels):
        fnr, fpr = np.mean(scores[labels == 1] < t), np.mean(scores[labels == 0] >= t)
        return prevalence * cost_miss * fnr + (1 - prevalence) * cost_false_alarm * fpr

    best, best_cost = np.inf, cost(np.inf, val_scores, val_labels)
    for t in sorted(set(val_scores.tolist()), reverse=True):
        now = cost(t, val_scores, val_labels)
        if now < best_cost - 1e-12:
            best, best_cost = t, now
    return float(best), float(best_cost)
