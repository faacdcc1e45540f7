# expect: cohen-kappa-weighted: squared
def cohen_kappa(a: np.ndarray, b: np.ndarray, weights: str | None = None) -> float:
    difference = np.abs(a[:, None].astype(float) - b[None, :])
    cost = difference if weights == "quadratic" else (difference != 0) * 1.0
    return float(1 - np.diag(cost).mean() / cost.mean()) if cost.mean() > 0 else float("nan")
