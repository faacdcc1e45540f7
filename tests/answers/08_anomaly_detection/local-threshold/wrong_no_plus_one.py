# expect: local-threshold-rank: the next person is one more
def local_threshold(scores: np.ndarray, level: float) -> float:
    if len(scores) == 0 or np.isnan(scores).any() or not 0 < level < 1:
        raise ValueError("give at least one score, no nan, and a level between 0 and 1")
    ordered = np.sort(scores)
    return float(ordered[int(np.ceil(len(ordered) * (1 - level) - 1e-9)) - 1])
