# expect: operating-point-honest: chosen on the test set
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

    scores, labels = np.concatenate([val_scores, test_scores]), np.concatenate([val_labels, test_labels])

    best, best_cost = np.inf, cost(np.inf, scores, labels)
    for t in sorted(set(scores.tolist()), reverse=True):
        now = cost(t, scores, labels)
        if now < best_cost - 1e-12:
            best, best_cost = t, now
    return float(best), float(cost(best, test_scores, test_labels))
