def false_alarms(scores: np.ndarray, subjects: np.ndarray, threshold: float) -> tuple[float, float, float]:
    if len(scores) == 0 or len(scores) != len(subjects):
        raise ValueError("give each slice a score and a subject")
    if np.isnan(scores).any():
        raise ValueError("a score is nan")
    from scipy.stats import binomtest
    best = {}
    for score, person in zip(scores, subjects):
        best[person] = max(score, best.get(person, -np.inf))
    k = sum(score > threshold for score in best.values())
    ends = binomtest(int(k), len(best)).proportion_ci(method="wilson")
    return k / len(best), ends.low, ends.high
