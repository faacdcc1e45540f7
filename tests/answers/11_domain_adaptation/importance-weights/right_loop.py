def importance_weights(p_target: np.ndarray, n_source: int, n_target: int, largest: float) -> tuple[np.ndarray, float]:
    p = np.asarray(p_target, dtype=float)
    if len(p) == 0 or np.isnan(p).any() or p.min() < 0 or p.max() > 1 or n_source <= 0 or n_target <= 0 or largest <= 0 or p.max() == 0:
        raise ValueError("bad input")
    w = []
    for one in p.tolist():
        w.append(largest if one == 1 else min(one / (1 - one) * n_source / n_target, largest))
    total = sum(w)
    w = [v * len(w) / total for v in w]
    return np.array(w), len(w) ** 2 / sum(v * v for v in w)
