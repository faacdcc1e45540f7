# expect: pseudo-labels-value, pseudo-labels-classes: rank each predicted class by itself
def pick_pseudo_labels(probabilities: np.ndarray, share: float) -> tuple[np.ndarray, np.ndarray]:
    p = np.asarray(probabilities, dtype=float)
    if not 0 < share <= 1 or not np.isfinite(p).all() or not np.allclose(p.sum(1), 1, atol=1e-3):
        raise ValueError("bad input")
    count = int(np.ceil(share * len(p) - 1e-9))
    rows = np.sort(np.argsort(-p.max(1), kind="stable")[:count])
    return rows, p.argmax(1)[rows]
