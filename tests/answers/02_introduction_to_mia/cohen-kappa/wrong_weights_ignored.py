# expect: cohen-kappa-weighted: cost less
def cohen_kappa(a: np.ndarray, b: np.ndarray, weights: str | None = None) -> float:
    cost = (a[:, None] != b[None, :]) * 1.0
    return float(1 - np.diag(cost).mean() / cost.mean()) if cost.mean() > 0 else float("nan")
