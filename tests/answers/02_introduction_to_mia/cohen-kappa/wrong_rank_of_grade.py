# expect: cohen-kappa-weighted: ranks
def cohen_kappa(a: np.ndarray, b: np.ndarray, weights: str | None = None) -> float:
    classes = np.union1d(a, b)
    k = len(classes)
    ia, ib = np.searchsorted(classes, a), np.searchsorted(classes, b)
    i = np.arange(k)
    w = (i[:, None] - i[None]) ** 2.0 if weights == "quadratic" else 1.0 - np.eye(k)  # like sklearn: by rank
    chance = (np.bincount(ia, minlength=k) / len(a)) @ w @ (np.bincount(ib, minlength=k) / len(b))
    if chance == 0:
        return float("nan")
    return float(1 - w[ia, ib].mean() / chance)
