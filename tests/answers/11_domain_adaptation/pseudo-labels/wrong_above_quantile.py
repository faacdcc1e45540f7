# expect: pseudo-labels-classes: drops all who tie
def pick_pseudo_labels(probabilities: np.ndarray, share: float) -> tuple[np.ndarray, np.ndarray]:
    p = np.asarray(probabilities, dtype=float)
    if not 0 < share <= 1 or not np.isfinite(p).all() or np.abs(p.sum(1) - 1).max() > 1e-3:
        raise ValueError("bad input")
    called, sure = p.argmax(1), p.max(1)
    keep = np.zeros(len(p), dtype=bool)
    for label in np.unique(called):
        own = called == label
        count = int(np.ceil(share * own.sum() - 1e-9))
        next_one = np.sort(sure[own])[::-1][count] if count < own.sum() else 0.0
        keep |= own & (sure > next_one)
    rows = np.flatnonzero(keep)
    return rows, called[rows]
