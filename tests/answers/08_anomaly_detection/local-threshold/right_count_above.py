def local_threshold(scores: np.ndarray, level: float) -> float:
    if len(scores) == 0 or np.isnan(scores).any() or not 0 < level < 1:
        raise ValueError("give at least one score, no nan, and a level between 0 and 1")
    n = len(scores)
    above = int(level * (n + 1) + 1e-9)
    return np.inf if above < 1 else float(np.partition(scores, n - above)[n - above])
