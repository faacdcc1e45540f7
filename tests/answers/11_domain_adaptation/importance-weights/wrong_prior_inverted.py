# expect: importance-weights-value: upside down
def importance_weights(p_target: np.ndarray, n_source: int, n_target: int, largest: float) -> tuple[np.ndarray, float]:
    p = np.asarray(p_target, dtype=float)
    if len(p) == 0 or np.isnan(p).any() or p.min() < 0 or p.max() > 1 or n_source <= 0 or n_target <= 0 or largest <= 0 or p.max() == 0:
        raise ValueError("bad input")
    with np.errstate(divide="ignore"):
        w = p / (1 - p)
    w = np.minimum(w * n_target / n_source, largest)
    w = w / w.mean()
    return w, float(w.sum() ** 2 / (w**2).sum())
