# expect: auc-one-class: no pair to compare
from scipy.stats import rankdata


def auc(scores: np.ndarray, labels: np.ndarray) -> float:
    sick = labels == 1
    ranks = rankdata(scores)
    with np.errstate(invalid="ignore"):
        n_sick, n_healthy = sick.sum(), (~sick).sum()
        return float((ranks[sick].sum() - n_sick * (n_sick + 1) / 2) / np.float64(n_sick * n_healthy))
