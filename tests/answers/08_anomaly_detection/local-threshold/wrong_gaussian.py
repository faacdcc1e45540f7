# expect: local-threshold-rank: expected the ninth smallest
def local_threshold(scores: np.ndarray, level: float) -> float:
    if len(scores) == 0 or np.isnan(scores).any() or not 0 < level < 1:
        raise ValueError("give at least one score, no nan, and a level between 0 and 1")
    from scipy.stats import norm
    sd = scores.std(ddof=1) if len(scores) > 1 else 0.0
    return float(scores.mean() + norm.ppf(1 - level) * sd)
