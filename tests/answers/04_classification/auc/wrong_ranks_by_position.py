# expect: auc-ties: equal scores must share one rank
def auc(scores: np.ndarray, labels: np.ndarray) -> float:
    sick = labels == 1
    if sick.all() or not sick.any():
        raise ValueError("only one class is present, so there is no pair to compare")
    if np.isnan(scores).any():
        raise ValueError("at least one of the scores is nan")
    ranks = np.empty(len(scores))
    ranks[np.argsort(scores, kind="stable")] = np.arange(1, len(scores) + 1)
    n_sick, n_healthy = sick.sum(), (~sick).sum()
    return float((ranks[sick].sum() - n_sick * (n_sick + 1) / 2) / (n_sick * n_healthy))
