def cohen_kappa(a: np.ndarray, b: np.ndarray, weights: str | None = None) -> float:
    a, b = np.asarray(a).astype(np.int64), np.asarray(b).astype(np.int64)
    if weights == "quadratic":
        cost = (a[:, None] - b[None, :]) ** 2
    elif weights is None:
        cost = a[:, None] != b[None, :]
    else:
        raise ValueError(f"weights must be None or 'quadratic', not {weights!r}")
    chance = cost.mean()
    if chance == 0:
        return float("nan")
    return float(1 - np.diag(cost).mean() / chance)
