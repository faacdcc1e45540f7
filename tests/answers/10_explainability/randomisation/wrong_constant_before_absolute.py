# expect: randomisation-constant: constant, too, once the absolute value is taken
from scipy.stats import spearmanr

def map_similarity(before, after):
    if before.shape != after.shape or not np.isfinite(before).all() or not np.isfinite(after).all():
        raise ValueError("bad input")
    if np.ptp(before) == 0 or np.ptp(after) == 0:
        return 0.0
    return float(spearmanr(np.abs(before).ravel(), np.abs(after).ravel())[0])
