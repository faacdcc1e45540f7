# expect: sensitivity-interval-pooled, sensitivity-interval-unit: a patient drawn twice must bring all images twice
def sensitivity_interval(
    called: np.ndarray, labels: np.ndarray, patients: np.ndarray, n_resamples: int = 1000, level: float = 0.95, seed: int = 0
) -> tuple[float, float]:
    rng = np.random.default_rng(seed)
    names = np.unique(patients)
    images = [np.flatnonzero(patients == name) for name in names]
    values = []
    for _ in range(n_resamples):
        index = np.flatnonzero(np.isin(patients, rng.choice(names, len(names))))
        if labels[index].sum() > 0:
            values.append(called[index][labels[index] == 1].mean())
    low, high = np.quantile(values, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)
