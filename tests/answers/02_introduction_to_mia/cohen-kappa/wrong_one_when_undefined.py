# expect: cohen-kappa-rare: undefined
def cohen_kappa(a: np.ndarray, b: np.ndarray, weights: str | None = None) -> float:
    difference = a[:, None].astype(float) - b[None, :]
    cost = difference**2 if weights == "quadratic" else (difference != 0) * 1.0
    return float(1 - np.diag(cost).mean() / cost.mean()) if cost.mean() > 0 else 1.0
