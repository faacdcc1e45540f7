# expect: alarm-threshold-brain: fill pixels outside
def alarm_threshold(maps: np.ndarray, brain: np.ndarray, fpr: float) -> float:
    if not 0 <= fpr < 1 or not brain.any(axis=(1, 2)).all():
        raise ValueError("bad input")
    maxima = (maps * brain).max((1, 2))
    return float(np.sort(maxima)[::-1][int(fpr * len(maxima) + 1e-9)])
