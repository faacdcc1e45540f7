# expect: false-alarms-none: can't prove that it never happens
def false_alarms(scores: np.ndarray, subjects: np.ndarray, threshold: float) -> tuple[float, float, float]:
    if len(scores) == 0 or len(scores) != len(subjects):
        raise ValueError("give each slice a score and a subject")
    if np.isnan(scores).any():
        raise ValueError("a score is nan")
    people = np.unique(subjects)
    n, z = len(people), 1.96
    rate = np.mean([(scores[subjects == person] > threshold).any() for person in people])
    if rate in (0, 1):
        return rate, rate, rate
    middle, half = rate + z**2 / (2 * n), z * np.sqrt(rate * (1 - rate) / n + z**2 / (4 * n**2))
    return rate, (middle - half) / (1 + z**2 / n), (middle + half) / (1 + z**2 / n)
