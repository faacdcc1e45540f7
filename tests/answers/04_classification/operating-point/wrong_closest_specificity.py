# expect: operating-point-ties: your threshold 3 keeps only 0.7
def operating_point(
    val_scores: np.ndarray, val_labels: np.ndarray, test_scores: np.ndarray, test_labels: np.ndarray, specificity: float = 0.9
) -> dict[str, float]:
    candidates = np.append(np.unique(val_scores), np.inf)
    reached = np.array([(val_scores[val_labels == 0] < candidate).mean() for candidate in candidates])
    threshold = candidates[np.abs(reached - specificity).argmin()]
    called = test_scores >= threshold
    return {"threshold": float(threshold), "sensitivity": float(called[test_labels == 1].mean()), "specificity": float((~called)[test_labels == 0].mean())}
