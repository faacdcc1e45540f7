# expect: cohen-kappa-rare, cohen-kappa-weighted, cohen-kappa-value: habits
def cohen_kappa(a: np.ndarray, b: np.ndarray, weights: str | None = None) -> float:
    observed, classes = np.mean(a == b), len(np.union1d(a, b))
    return float((observed - 1 / classes) / (1 - 1 / classes))
