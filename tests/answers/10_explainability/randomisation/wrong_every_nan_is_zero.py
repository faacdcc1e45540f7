# expect: randomisation-constant: a map with nan
from scipy.stats import spearmanr

def map_similarity(before, after):
    if before.shape != after.shape:
        raise ValueError("bad input")
    return float(np.nan_to_num(spearmanr(np.abs(before).ravel(), np.abs(after).ravel())[0]))
