def sensitivity_interval(
    called: np.ndarray, labels: np.ndarray, patients: np.ndarray, n_resamples: int = 1000, level: float = 0.95, seed: int = 0
) -> tuple[float, float]:
    rng = np.random.default_rng(seed)
    names = np.unique(patients)
    sick = np.array([np.sum(labels[patients == name] == 1) for name in names])
    found = np.array([np.sum(called[(patients == name) & (labels == 1)] == 1) for name in names])
    times = rng.multinomial(len(names), np.full(len(names), 1 / len(names)), n_resamples)
    with np.errstate(invalid="ignore"):
        values = (times @ found) / (times @ sick)
    low, high = np.nanpercentile(values, [50 * (1 - level), 50 * (1 + level)])
    return low, high
