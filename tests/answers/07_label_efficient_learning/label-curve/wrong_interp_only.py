# expect: label-curve-dent: numpy.interp over the scores
def labels_needed(budgets: np.ndarray, scores: np.ndarray, target: float) -> float:
    if (np.asarray(budgets) <= 0).any() or (np.diff(budgets) <= 0).any():
        raise ValueError("budgets must be positive and rise")
    return float(np.exp(np.interp(target, scores, np.log(budgets), right=np.inf)))
