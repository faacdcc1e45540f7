# expect: alarm-threshold-brain: must raise ValueError
def alarm_threshold(maps: np.ndarray, brain: np.ndarray, fpr: float) -> float:
    maxima = np.where(brain, maps, -np.inf).max((1, 2))
    return float(np.sort(maxima)[::-1][min(int(fpr * len(maxima) + 1e-9), len(maxima) - 1)])
