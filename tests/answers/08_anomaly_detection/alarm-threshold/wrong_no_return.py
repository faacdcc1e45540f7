# expect: alarm-threshold-subjects: end the function with return
def alarm_threshold(maps: np.ndarray, brain: np.ndarray, fpr: float) -> float:
    return None
