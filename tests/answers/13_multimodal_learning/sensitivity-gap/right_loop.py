def sensitivity_gap(p: np.ndarray, y: np.ndarray, group: np.ndarray, patient: np.ndarray, threshold: float, draws: int, seed: int) -> dict[str, float]:
    if set(patient[group == 0].tolist()) & set(patient[group == 1].tolist()):
        raise ValueError("in both groups")
    if min(((y == 1) & (group == 0)).sum(), ((y == 1) & (group == 1)).sum()) == 0:
        raise ValueError("nobody is ill")
    rng = np.random.default_rng(seed)
    hit = p >= threshold
    by = [{}, {}]
    for i in np.flatnonzero(y == 1):
        by[int(group[i])].setdefault(int(patient[i]), []).append(bool(hit[i]))
    gap = np.mean(hit[(y == 1) & (group == 0)]) - np.mean(hit[(y == 1) & (group == 1)])
    people = [list(one.values()) for one in by]
    sums = [np.array([[sum(v), len(v)] for v in one]) for one in people]
    gaps = []
    for _ in range(draws):
        a, b = (s[rng.choice(len(s), len(s))].sum(0) for s in sums)
        gaps.append(a[0] / a[1] - b[0] / b[1])
    return {"gap": float(gap), "low": float(np.quantile(gaps, 0.025)), "high": float(np.quantile(gaps, 0.975))}
