# expect: local-threshold-rank: positions in an array from 0
def local_threshold(scores: np.ndarray, level: float) -> float:
    if len(scores) == 0 or np.isnan(scores).any() or not 0 < level < 1:
        raise ValueError("give at least one score, no nan, and a level between 0 and 1")
    ordered = np.sort(scores)
    rank = int(np.ceil((len(ordered) + 1) * (1 - level) - 1e-9))
    return float(ordered[rank]) if rank < len(ordered) else float("inf")
