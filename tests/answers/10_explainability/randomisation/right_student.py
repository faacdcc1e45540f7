from scipy.stats import rankdata

def map_similarity(before, after):
    before, after = np.asarray(before, float), np.asarray(after, float)
    if before.shape != after.shape or not np.isfinite(before).all() or not np.isfinite(after).all():
        raise ValueError("bad input")
    a, b = np.abs(before).ravel(), np.abs(after).ravel()
    if np.ptp(a) == 0 or np.ptp(b) == 0:
        return 0.0
    return float(np.corrcoef(rankdata(a), rankdata(b))[0, 1])
