# expect: auc-one-class: nan score
def auc(scores: np.ndarray, labels: np.ndarray) -> float:
    """Area under the ROC curve: the chance that a sick patient gets a higher score than a healthy one, ties counting half.

    Args:
        scores: (N,) any real numbers, higher is more suspicious; no probabilities needed.
        labels: (N,) 1 for sick, 0 for healthy.

    Returns:
        The area, 0 to 1.

    Raises:
        ValueError: all labels are the same, so that there is no pair to compare; or a score is nan. The message says which.
    """
    from scipy.stats import rankdata

    pos = labels == 1
    n_pos, n_neg = pos.sum(), (~pos).sum()
    if n_pos == 0 or n_neg == 0:
        raise ValueError("need both sick and healthy patients to compare")
    return (rankdata(scores)[pos].sum() - n_pos * (n_pos + 1) / 2) / (n_pos * n_neg)
