def adjusted_p(p: np.ndarray) -> np.ndarray:
    p = np.asarray(p, dtype=float)
    if p.ndim != 1 or len(p) == 0 or np.isnan(p).any() or p.min() < 0 or p.max() > 1:
        raise ValueError("p-values from 0 to 1 are needed")
    m = len(p)
    ranks = np.array([(p <= value).sum() for value in p])  # the largest rank of a tie
    return np.array([min(1.0, (m * p / ranks)[p >= value].min()) for value in p])
