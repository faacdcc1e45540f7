# expect: randomisation-rank: correlate ranks
def map_similarity(before: np.ndarray, after: np.ndarray) -> float:
    from scipy.stats import rankdata

    before, after = np.abs(np.asarray(before, dtype=float)), np.abs(np.asarray(after, dtype=float))
    if before.shape != after.shape:
        raise ValueError(f"maps of shapes {before.shape} and {after.shape}")
    if not (np.isfinite(before).all() and np.isfinite(after).all()):
        raise ValueError("a map holds a value that is not finite")
    if np.ptp(before) == 0 or np.ptp(after) == 0:
        return 0.0
    return float(np.corrcoef(before.ravel(), after.ravel())[0, 1])
