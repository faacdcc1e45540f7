# expect: local-threshold-rank: plain 70 % quantile
def local_threshold(scores: np.ndarray, level: float) -> float:
    if len(scores) == 0 or np.isnan(scores).any() or not 0 < level < 1:
        raise ValueError("give at least one score, no nan, and a level between 0 and 1")
    return float(np.quantile(scores, 1 - level))
