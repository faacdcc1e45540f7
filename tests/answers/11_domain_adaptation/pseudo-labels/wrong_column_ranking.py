# expect: pseudo-labels-classes: the most probable class of that patient
def pick_pseudo_labels(probabilities: np.ndarray, share: float) -> tuple[np.ndarray, np.ndarray]:
    p = np.asarray(probabilities, dtype=float)
    if not 0 < share <= 1 or not np.isfinite(p).all() or not np.allclose(p.sum(1), 1, atol=1e-3):
        raise ValueError("bad input")
    rows, labels = [], []
    for c in range(p.shape[1]):
        best = np.argsort(-p[:, c], kind="stable")[: int(np.ceil(share * len(p) - 1e-9))]
        rows += best.tolist()
        labels += [c] * len(best)
    order = np.argsort(rows, kind="stable")
    return np.array(rows)[order], np.array(labels)[order]
