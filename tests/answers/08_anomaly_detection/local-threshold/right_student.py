import math

def local_threshold(scores, level):
    scores = np.asarray(scores, float)
    if len(scores) == 0 or np.isnan(scores).any() or not 0 < level < 1:
        raise ValueError("bad input")
    n = len(scores)
    r = math.ceil((n + 1) * (1 - level))
    return math.inf if r > n else float(np.sort(scores)[r - 1])
