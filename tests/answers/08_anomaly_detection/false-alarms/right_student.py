def false_alarms(scores, subjects, threshold):
    scores, subjects = np.asarray(scores, float), np.asarray(subjects)
    if len(scores) == 0 or len(scores) != len(subjects) or np.isnan(scores).any():
        raise ValueError("bad input")
    people = np.unique(subjects)
    called = [(scores[subjects == p] > threshold).any() for p in people]
    n, z = len(people), 1.96
    p = float(np.mean(called))
    mid = p + z**2 / (2 * n)
    half = z * np.sqrt(p * (1 - p) / n + z**2 / (4 * n**2))
    return p, (mid - half) / (1 + z**2 / n), (mid + half) / (1 + z**2 / n)
