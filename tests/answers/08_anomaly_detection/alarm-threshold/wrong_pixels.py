# expect: alarm-threshold-subjects: quantile of all pixels
def alarm_threshold(maps: np.ndarray, brain: np.ndarray, fpr: float) -> float:
    if not 0 <= fpr < 1 or not brain.any(axis=(1, 2)).all():
        raise ValueError("bad input")
    return float(np.quantile(maps[brain], 1 - fpr))
