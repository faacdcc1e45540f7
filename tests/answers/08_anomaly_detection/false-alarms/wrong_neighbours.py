# expect: false-alarms-rate: each run of neighbours
def false_alarms(scores: np.ndarray, subjects: np.ndarray, threshold: float) -> tuple[float, float, float]:
    if len(scores) == 0 or len(scores) != len(subjects):
        raise ValueError("give each slice a score and a subject")
    if np.isnan(scores).any():
        raise ValueError("a score is nan")
    cuts = np.flatnonzero(subjects[1:] != subjects[:-1]) + 1
    called = np.array([part.max() > threshold for part in np.split(scores, cuts)])
    n, z, rate = len(called), 1.96, called.mean()
    middle, half = rate + z**2 / (2 * n), z * np.sqrt(rate * (1 - rate) / n + z**2 / (4 * n**2))
    return rate, (middle - half) / (1 + z**2 / n), (middle + half) / (1 + z**2 / n)
