# expect: randomisation-rank: the rank correlation is off
from scipy.stats import kendalltau

def map_similarity(before, after):
    if before.shape != after.shape or not np.isfinite(before).all() or not np.isfinite(after).all():
        raise ValueError("bad input")
    a, b = np.abs(before).ravel(), np.abs(after).ravel()
    if np.ptp(a) == 0 or np.ptp(b) == 0:
        return 0.0
    return float(kendalltau(a, b)[0])
