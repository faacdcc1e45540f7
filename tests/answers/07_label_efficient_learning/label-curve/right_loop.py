def labels_needed(budgets: np.ndarray, scores: np.ndarray, target: float) -> float:
    if any(b <= 0 for b in budgets) or any(b2 <= b1 for b1, b2 in zip(budgets, budgets[1:])):
        raise ValueError("budgets must be positive and rise")
    if scores[0] >= target:
        return float(budgets[0])
    for b1, b2, s1, s2 in zip(budgets, budgets[1:], scores, scores[1:]):
        if s2 >= target:
            return float(b1 * (b2 / b1) ** ((target - s1) / (s2 - s1)))
    return float("inf")
