# expect: sensitivity-gap-interval: without an interval
def sensitivity_gap(p: np.ndarray, y: np.ndarray, group: np.ndarray, patient: np.ndarray, threshold: float, draws: int, seed: int) -> dict[str, float]:
    if set(patient[group == 0].tolist()) & set(patient[group == 1].tolist()):
        raise ValueError("in both groups")
    if min(((y == 1) & (group == 0)).sum(), ((y == 1) & (group == 1)).sum()) == 0:
        raise ValueError("nobody is ill")
    rng = np.random.default_rng(seed)
    found = [(p >= threshold)[(y == 1) & (group == g)].astype(float) for g in (0, 1)]
    gap = float(found[0].mean() - found[1].mean())
    return {"gap": gap, "low": gap, "high": gap}
