def adjusted_p(p: np.ndarray) -> np.ndarray:
    p = np.asarray(p, dtype=float)
    if p.ndim != 1 or len(p) == 0 or np.isnan(p).any() or p.min() < 0 or p.max() > 1:
        raise ValueError("p-values from 0 to 1 are needed")
    m = len(p)
    order, answer, least = np.argsort(p), np.zeros(m), 1.0
    for rank in range(m, 0, -1):
        least = min(least, p[order[rank - 1]] * m / rank)
        answer[order[rank - 1]] = least
    return answer
