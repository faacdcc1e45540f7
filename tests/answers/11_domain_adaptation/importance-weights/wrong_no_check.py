# expect: importance-weights-bad: 1.2 is no probability
def importance_weights(p_target: np.ndarray, n_source: int, n_target: int, largest: float) -> tuple[np.ndarray, float]:
    p = np.clip(np.asarray(p_target, dtype=float), 0, 1)
    with np.errstate(divide="ignore", invalid="ignore"):
        w = np.minimum(p / (1 - p) * n_source / n_target, largest)
        w = w / w.mean()
    return w, float(w.sum() ** 2 / (w**2).sum())
