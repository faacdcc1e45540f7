# expect: sensitivity-gap-value: the patients' means
def sensitivity_gap(p: np.ndarray, y: np.ndarray, group: np.ndarray, patient: np.ndarray, threshold: float, draws: int, seed: int) -> dict[str, float]:
    if set(patient[group == 0].tolist()) & set(patient[group == 1].tolist()):
        raise ValueError("in both groups")
    if min(((y == 1) & (group == 0)).sum(), ((y == 1) & (group == 1)).sum()) == 0:
        raise ValueError("nobody is ill")
    rng = np.random.default_rng(seed)
    rates = []
    for g in (0, 1):
        ids = np.unique(patient[(y == 1) & (group == g)])
        rates.append(np.array([np.mean(p[(y == 1) & (patient == i)] >= threshold) for i in ids]))
    a, b = (r[rng.integers(0, len(r), (draws, len(r)))].mean(1) for r in rates)
    low, high = np.percentile(a - b, [2.5, 97.5])
    return {"gap": float(rates[0].mean() - rates[1].mean()), "low": float(low), "high": float(high)}
