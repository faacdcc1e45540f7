# expect: alarm-threshold-subjects: one subject only
def alarm_threshold(maps: np.ndarray, brain: np.ndarray, fpr: float) -> float:
    if not 0 <= fpr < 1 or not brain.any(axis=(1, 2)).all():
        raise ValueError("bad input")
    maxima = np.where(brain, maps, -np.inf).max((1, 2))
    return float(np.sort(maxima)[::-1][max(int(fpr * len(maxima) + 1e-9) - 1, 0)])
