# expect: sensitivity-gap-value: gap of accuracies
def sensitivity_gap(p: np.ndarray, y: np.ndarray, group: np.ndarray, patient: np.ndarray, threshold: float, draws: int, seed: int) -> dict[str, float]:
    if set(patient[group == 0].tolist()) & set(patient[group == 1].tolist()):
        raise ValueError("in both groups")
    if min(((y == 1) & (group == 0)).sum(), ((y == 1) & (group == 1)).sum()) == 0:
        raise ValueError("nobody is ill")
    rng = np.random.default_rng(seed)
    use, hit = np.ones(len(y), bool), (p >= threshold) == (y == 1)
    people = []
    for g in (0, 1):
        ids = np.unique(patient[(group == g)])
        people.append(np.array([[(hit & (patient == i)).sum(), (use & (patient == i)).sum()] for i in ids]))
    a, b = (s[rng.integers(0, len(s), (draws, len(s)))].sum(1) for s in people)
    low, high = np.percentile(a[:, 0] / a[:, 1] - b[:, 0] / b[:, 1], [2.5, 97.5])
    total = [s.sum(0) for s in people]
    gap = total[0][0] / total[0][1] - total[1][0] / total[1][1]
    return {"gap": float(gap), "low": float(low), "high": float(high)}
