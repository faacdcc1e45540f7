# expect: alarm-threshold-rate: round 1.9 down
def alarm_threshold(maps, brain, fpr):
    if not 0 <= fpr < 1 or not brain.any((1, 2)).all():
        raise ValueError("bad")
    maxima = np.where(brain, maps, -np.inf).max((1, 2))
    return float(np.sort(maxima)[::-1][round(fpr * len(maxima))])
