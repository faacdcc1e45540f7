def target_prevalence(source_labels: np.ndarray, source_calls: np.ndarray, target_calls: np.ndarray) -> float:
    y, c, t = (np.asarray(a).astype(int) for a in (source_labels, source_calls, target_calls))
    if t.size == 0 or len(set(y.tolist())) < 2:
        raise ValueError("bad input")
    confusion = np.array([[(c[y == k] == j).mean() for k in (0, 1)] for j in (0, 1)])
    if np.linalg.det(confusion) < 1e-12:
        raise ValueError("no information")
    return float(min(max(np.linalg.solve(confusion, [1 - t.mean(), t.mean()])[1], 0.0), 1.0))
