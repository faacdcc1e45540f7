# expect: label-curve-dent: last crossing
def labels_needed(budgets: np.ndarray, scores: np.ndarray, target: float) -> float:
    budgets, scores = np.asarray(budgets, dtype=float), np.asarray(scores, dtype=float)
    if (budgets <= 0).any() or (np.diff(budgets) <= 0).any():
        raise ValueError("budgets must be positive and rise")
    reached = np.flatnonzero(scores >= target)
    if len(reached) == 0:
        return float("inf")
    below = np.flatnonzero(scores < target)
    k = below[-1] + 1 if len(below) else 0
    if k == 0:
        return float(budgets[0])
    share = (target - scores[k - 1]) / (scores[k] - scores[k - 1])
    return float(np.exp((1 - share) * np.log(budgets[k - 1]) + share * np.log(budgets[k])))
