# expect: auc-one-class: a nan score can't be ranked
def auc(scores: np.ndarray, labels: np.ndarray) -> float:
    sick = labels == 1
    if sick.all() or not sick.any():
        raise ValueError("only one class is present, so there is no pair to compare")
    scores = np.nan_to_num(scores, nan=np.inf)
    return float(((scores[sick][:, None] > scores[~sick]) + 0.5 * (scores[sick][:, None] == scores[~sick])).mean())
