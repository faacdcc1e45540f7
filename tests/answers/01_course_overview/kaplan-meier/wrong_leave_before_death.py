# expect: kaplan-meier-ties: still at risk
def kaplan_meier(time: np.ndarray, event: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    if len(time) != len(event) or np.any(np.asarray(time) < 0):
        raise ValueError("as many events as times, and no negative time")

    time, event = np.asarray(time, float), np.asarray(event)
    times = np.unique(time[event == 1])
    risk = [np.sum(time > t) + np.sum((time == t) & (event == 1)) for t in times]
    died = [np.sum((time == t) & (event == 1)) for t in times]
    return times, np.cumprod([1 - d / n for d, n in zip(died, risk)])
