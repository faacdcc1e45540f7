# expect: kaplan-meier-value, kaplan-meier-censoring: still at risk
def kaplan_meier(time: np.ndarray, event: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    if len(time) != len(event) or np.any(np.asarray(time) < 0):
        raise ValueError("as many events as times, and no negative time")

    time, event = np.asarray(time, float), np.asarray(event)
    times = np.unique(time[event == 1])
    return times, np.array([1 - np.sum((time <= t) & (event == 1)) / len(time) for t in times])
