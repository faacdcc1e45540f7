# expect: cohen-kappa-value, cohen-kappa-weighted, cohen-kappa-rare: 0.5
def cohen_kappa(a: np.ndarray, b: np.ndarray, weights: str | None = None) -> float:
    return float(np.corrcoef(a, b)[0, 1])
