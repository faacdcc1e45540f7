def auc(scores: np.ndarray, labels: np.ndarray) -> float:
    sick = labels == 1
    if sick.all() or not sick.any():
        raise ValueError("only one class is present, so there is no pair to compare")
    if np.isnan(scores).any():
        raise ValueError("at least one of the scores is nan")
    difference = scores[sick][:, None] - scores[~sick][None, :]
    return float(((difference > 0) + 0.5 * (difference == 0)).mean())
