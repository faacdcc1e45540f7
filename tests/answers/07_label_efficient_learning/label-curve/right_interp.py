def labels_needed(budgets: np.ndarray, scores: np.ndarray, target: float) -> float:
    x = np.log10(np.asarray(budgets, dtype=float)) if min(budgets) > 0 else None
    if x is None or not np.all(np.diff(x) > 0):
        raise ValueError("budgets must be positive and rise")
    best = np.maximum.accumulate(scores)
    if target > best[-1]:
        return np.inf
    k = int(np.searchsorted(best, target))
    if k == 0:
        return budgets[0]
    return 10 ** np.interp(target, [scores[k - 1], scores[k]], [x[k - 1], x[k]])
