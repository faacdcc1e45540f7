# expect: sensitivity-interval-rare: leave out the others, don't call them 0
def sensitivity_interval(
    called: np.ndarray, labels: np.ndarray, patients: np.ndarray, n_resamples: int = 1000, level: float = 0.95, seed: int = 0
) -> tuple[float, float]:
    rng = np.random.default_rng(seed)
    names = np.unique(patients)
    owner = np.searchsorted(names, patients)
    sick, found = np.bincount(owner, weights=labels), np.bincount(owner, weights=labels * called)
    drawn = rng.integers(0, len(names), (n_resamples, len(names)))
    values = found[drawn].sum(1) / np.maximum(sick[drawn].sum(1), 1)
    low, high = np.quantile(values, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)
