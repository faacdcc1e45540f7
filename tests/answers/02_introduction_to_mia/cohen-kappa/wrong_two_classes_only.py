# expect: cohen-kappa-value, cohen-kappa-rare: 3 classes
def cohen_kappa(a: np.ndarray, b: np.ndarray, weights: str | None = None) -> float:
    if weights == "quadratic":
        cost = (a[:, None] - b[None, :]) ** 2
        return float(1 - np.diag(cost).mean() / cost.mean()) if cost.mean() else float("nan")
    po = np.mean(a == b)
    pe = a.mean() * b.mean() + (1 - a.mean()) * (1 - b.mean())
    return float((po - pe) / (1 - pe)) if pe < 1 else float("nan")
