# expect: sensitivity-interval-rare, sensitivity-interval-pooled: with two of three sick found almost anything is possible
def sensitivity_interval(
    called: np.ndarray, labels: np.ndarray, patients: np.ndarray, n_resamples: int = 1000, level: float = 0.95, seed: int = 0
) -> tuple[float, float]:
    rng = np.random.default_rng(seed)
    names = np.unique(patients)
    images = [np.flatnonzero(patients == name) for name in names]
    values = []
    for _ in range(n_resamples):
        index = np.concatenate([images[k] for k in rng.integers(0, len(names), len(names))])
        values.append((called[index] == labels[index]).mean())
    low, high = np.quantile(values, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)
