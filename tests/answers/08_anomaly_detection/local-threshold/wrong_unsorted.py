# expect: local-threshold-rank: sort the scores first
def local_threshold(scores: np.ndarray, level: float) -> float:
    if len(scores) == 0 or np.isnan(scores).any() or not 0 < level < 1:
        raise ValueError("give at least one score, no nan, and a level between 0 and 1")
    rank = int(np.ceil((len(scores) + 1) * (1 - level) - 1e-9))
    return float("inf") if rank > len(scores) else float(scores[rank - 1])
