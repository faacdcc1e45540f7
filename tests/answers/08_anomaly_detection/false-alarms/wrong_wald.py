# expect: false-alarms-interval: Wald
def false_alarms(scores: np.ndarray, subjects: np.ndarray, threshold: float) -> tuple[float, float, float]:
    if len(scores) == 0 or len(scores) != len(subjects):
        raise ValueError("give each slice a score and a subject")
    if np.isnan(scores).any():
        raise ValueError("a score is nan")
    people = np.unique(subjects)
    rate = np.mean([(scores[subjects == person] > threshold).any() for person in people])
    half = 1.96 * np.sqrt(rate * (1 - rate) / len(people))
    return rate, max(rate - half, 0), min(rate + half, 1)
