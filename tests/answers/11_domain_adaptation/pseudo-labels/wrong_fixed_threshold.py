# expect: pseudo-labels-value: rank each predicted class by itself
def pick_pseudo_labels(probabilities: np.ndarray, share: float) -> tuple[np.ndarray, np.ndarray]:
    p = np.asarray(probabilities, dtype=float)
    if not 0 < share <= 1 or not np.isfinite(p).all() or not np.allclose(p.sum(1), 1, atol=1e-3):
        raise ValueError("bad input")
    rows = np.flatnonzero(p.max(1) >= np.quantile(p.max(1), 1 - share))
    return rows, p.argmax(1)[rows]
