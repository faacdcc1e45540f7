# expect: false-alarms-bad: nan > threshold is False
def false_alarms(scores: np.ndarray, subjects: np.ndarray, threshold: float) -> tuple[float, float, float]:
    if len(scores) == 0 or len(scores) != len(subjects):
        raise ValueError("give each slice a score and a subject")
    keep = ~np.isnan(scores)
    scores, subjects = scores[keep], subjects[keep]

    people = np.unique(subjects)
    called = np.array([(scores[subjects == person] > threshold).any() for person in people])
    n, z = len(people), 1.96
    rate = called.mean()
    middle, half = rate + z**2 / (2 * n), z * np.sqrt(rate * (1 - rate) / n + z**2 / (4 * n**2))
    return rate, (middle - half) / (1 + z**2 / n), (middle + half) / (1 + z**2 / n)
