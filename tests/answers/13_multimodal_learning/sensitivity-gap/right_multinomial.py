def sensitivity_gap(p: np.ndarray, y: np.ndarray, group: np.ndarray, patient: np.ndarray, threshold: float, draws: int, seed: int) -> dict[str, float]:
    if set(patient[group == 0].tolist()) & set(patient[group == 1].tolist()):
        raise ValueError("in both groups")
    if min(((y == 1) & (group == 0)).sum(), ((y == 1) & (group == 1)).sum()) == 0:
        raise ValueError("nobody is ill")
    rng = np.random.default_rng(seed)
    share, sample = {}, {}
    for g in (0, 1):
        ill = (y == 1) & (group == g)
        ids = sorted(set(patient[ill].tolist()))
        table = np.array([[((patient == i) & ill & (p >= threshold)).sum(), ((patient == i) & ill).sum()] for i in ids])
        times = rng.multinomial(len(ids), np.full(len(ids), 1 / len(ids)), size=draws)
        share[g], total = table[:, 0].sum() / table[:, 1].sum(), times @ table
        sample[g] = total[:, 0] / total[:, 1]
    ends = np.percentile(sample[0] - sample[1], (2.5, 97.5))
    return {"gap": share[0] - share[1], "low": ends[0], "high": ends[1]}
