# expect: local-threshold-few: must raise a ValueError
def local_threshold(scores: np.ndarray, level: float) -> float:
    ordered = np.sort(scores)
    rank = int(np.ceil((len(ordered) + 1) * (1 - level) - 1e-9))
    return float("inf") if rank > len(ordered) else float(ordered[max(rank, 1) - 1])
