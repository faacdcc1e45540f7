# expect: importance-weights-size: before clipping
def importance_weights(p_target: np.ndarray, n_source: int, n_target: int, largest: float) -> tuple[np.ndarray, float]:
    p = np.asarray(p_target, dtype=float)
    if len(p) == 0 or not ((p >= 0) & (p <= 1)).all() or min(n_source, n_target) <= 0 or not largest > 0 or p.max() == 0:
        raise ValueError("bad input")
    p = np.minimum(p, 1 - 1e-9)
    ratio = p / (1 - p) * n_source / n_target
    w = np.minimum(ratio, largest)
    return w / w.mean(), float(ratio.sum() ** 2 / (ratio**2).sum())
