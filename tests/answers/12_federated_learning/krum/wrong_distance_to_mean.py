# expect: krum-choice: too many distances count
def krum(updates: np.ndarray, f: int) -> int:
    k, broken = len(updates), ~np.isfinite(updates).all(1)
    if f < 0 or k < 2 * f + 3 or broken.sum() > f:
        raise ValueError("too few")
    return int(np.argmin(((updates - np.nanmean(updates, axis=0)) ** 2).sum(1)))
