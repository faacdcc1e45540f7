def alarm_threshold(maps: np.ndarray, brain: np.ndarray, fpr: float) -> float:
    if not 0 <= fpr < 1 or not brain.any(axis=(1, 2)).all():
        raise ValueError("bad input")
    maxima = np.ma.array(maps, mask=~brain).max(axis=(1, 2)).data
    allowed = int(fpr * len(maxima) + 1e-6)
    return np.sort(maxima)[len(maxima) - 1 - allowed]
