# expect: operating-point-value: the lowest score that leaves 9 of 10 healthy below it
def operating_point(
    val_scores: np.ndarray, val_labels: np.ndarray, test_scores: np.ndarray, test_labels: np.ndarray, specificity: float = 0.9
) -> dict[str, float]:
    candidates = np.unique(val_scores)
    reached = np.array([(val_scores[val_labels == 0] < candidate).mean() for candidate in candidates])
    threshold = candidates[reached >= specificity][-1]
    called = test_scores >= threshold
    return {"threshold": float(threshold), "sensitivity": float(called[test_labels == 1].mean()), "specificity": float((~called)[test_labels == 0].mean())}
