# expect: pseudo-labels-classes: with >= keeps all who tie
def pick_pseudo_labels(probabilities: np.ndarray, share: float) -> tuple[np.ndarray, np.ndarray]:
    p = np.asarray(probabilities, dtype=float)
    if not 0 < share <= 1 or not np.isfinite(p).all() or np.abs(p.sum(1) - 1).max() > 1e-3:
        raise ValueError("bad input")
    called, sure = p.argmax(1), p.max(1)
    keep = np.zeros(len(p), dtype=bool)
    for label in np.unique(called):
        own = called == label
        keep |= own & (sure >= np.quantile(sure[own], 1 - share))
    rows = np.flatnonzero(keep)
    return rows, called[rows]
