# expect: cohen-kappa-value, cohen-kappa-rare, cohen-kappa-weighted: percent agreement
def cohen_kappa(a: np.ndarray, b: np.ndarray, weights: str | None = None) -> float:
    return float(np.mean(a == b))
