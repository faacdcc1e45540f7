# expect: operating-point-split, operating-point-value: must come from validation alone
def operating_point(
    val_scores: np.ndarray, val_labels: np.ndarray, test_scores: np.ndarray, test_labels: np.ndarray, specificity: float = 0.9
) -> dict[str, float]:
    threshold = np.inf
    for candidate in sorted(set(test_scores.tolist()), reverse=True):
        if (test_scores[test_labels == 0] < candidate).mean() < specificity:
            break
        threshold = candidate
    called = test_scores >= threshold
    return {"threshold": float(threshold), "sensitivity": float(called[test_labels == 1].mean()), "specificity": float((~called)[test_labels == 0].mean())}
