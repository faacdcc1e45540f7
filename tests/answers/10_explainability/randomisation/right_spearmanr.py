def map_similarity(before: np.ndarray, after: np.ndarray) -> float:
    from scipy.stats import spearmanr

    before, after = np.abs(before), np.abs(after)
    if before.shape != after.shape or not np.all(np.isfinite(before)) or not np.all(np.isfinite(after)):
        raise ValueError("bad maps")
    if before.min() == before.max() or after.min() == after.max():
        return 0
    return spearmanr(before.reshape(-1), after.reshape(-1))[0]
