# expect: pseudo-labels-bad-input: must raise a ValueError
def pick_pseudo_labels(probabilities: np.ndarray, share: float) -> tuple[np.ndarray, np.ndarray]:
    p = np.asarray(probabilities, dtype=float)
    if not np.isfinite(p).all() or np.abs(p.sum(1) - 1).max() > 1e-3:
        raise ValueError("no probabilities")
    called, sure = p.argmax(1), p.max(1)
    keep = np.zeros(len(p), dtype=bool)
    for c in range(p.shape[1]):
        mine = np.flatnonzero(called == c)
        count = int(np.ceil(share * len(mine) - 1e-9))
        keep[mine[np.argsort(-sure[mine], kind="stable")[:count]]] = True
    rows = np.flatnonzero(keep)
    return rows, called[rows]
