def pick_pseudo_labels(probabilities: np.ndarray, share: float) -> tuple[np.ndarray, np.ndarray]:
    p = np.asarray(probabilities)
    if not 0 < share <= 1 or not np.isfinite(p).all() or np.abs(p.sum(1) - 1).max() > 1e-3:
        raise ValueError("bad input")
    p = p.astype(np.float32)
    called, sure = p.argmax(1), p.max(1)
    order = np.lexsort((np.arange(len(p)), -sure, called))
    kept = []
    for label in range(p.shape[1]):
        mine = order[called[order] == label]
        kept.append(mine[: int(np.ceil(share * len(mine) - 1e-9))])
    rows = np.sort(np.concatenate(kept))
    return rows, called[rows]
