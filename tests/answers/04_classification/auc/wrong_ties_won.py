# expect: auc-ties: a tie is not won
def auc(scores: np.ndarray, labels: np.ndarray) -> float:
    sick = labels == 1
    if sick.all() or not sick.any():
        raise ValueError("only one class is present, so there is no pair to compare")
    if np.isnan(scores).any():
        raise ValueError("at least one of the scores is nan")
    return float((scores[sick][:, None] >= scores[~sick][None, :]).mean())
