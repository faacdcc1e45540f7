# expect: alarm-threshold-rate: interpolate between subjects
def alarm_threshold(maps: np.ndarray, brain: np.ndarray, fpr: float) -> float:
    if not 0 <= fpr < 1 or not brain.any(axis=(1, 2)).all():
        raise ValueError("bad input")
    maxima = np.where(brain, maps, -np.inf).max((1, 2))
    return float(np.quantile(maxima, 1 - fpr))
