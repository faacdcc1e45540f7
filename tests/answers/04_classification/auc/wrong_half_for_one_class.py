# expect: auc-one-class: no pair to compare
def auc(scores: np.ndarray, labels: np.ndarray) -> float:
    sick = labels == 1
    if sick.all() or not sick.any():
        return 0.5
    difference = scores[sick][:, None] - scores[~sick][None, :]
    return float(((difference > 0) + 0.5 * (difference == 0)).mean())
