# expect: alarm-threshold-subjects: the threshold is 8
def alarm_threshold(maps: np.ndarray, brain: np.ndarray, fpr: float) -> float:
    if not 0 <= fpr < 1 or not brain.any(axis=(1, 2)).all():
        raise ValueError("bad input")
    means = np.array([one[m].mean() for one, m in zip(maps, brain)])
    return float(np.sort(means)[::-1][int(fpr * len(means) + 1e-9)])
