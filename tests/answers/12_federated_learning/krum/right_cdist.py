def krum(updates: np.ndarray, f: int) -> int:
    k, broken = len(updates), ~np.isfinite(updates).all(1)
    if f < 0 or k < 2 * f + 3 or broken.sum() > f:
        raise ValueError("too few")
    from scipy.spatial.distance import cdist

    sound = np.flatnonzero(~broken)
    square = np.full((k, k), np.inf)
    square[np.ix_(sound, sound)] = cdist(updates[sound], updates[sound], "sqeuclidean")
    square[np.arange(k), np.arange(k)] = np.inf
    return int(np.partition(square, k - f - 3, axis=1)[:, : k - f - 2].sum(1).argmin())
