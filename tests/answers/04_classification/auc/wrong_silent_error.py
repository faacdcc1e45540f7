# expect: auc-one-class: say in a sentence
def auc(scores: np.ndarray, labels: np.ndarray) -> float:
    sick = labels == 1
    if sick.all() or not sick.any() or np.isnan(scores).any():
        raise ValueError
    return float(((scores[sick][:, None] > scores[~sick]) + 0.5 * (scores[sick][:, None] == scores[~sick])).mean())
