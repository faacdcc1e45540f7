# expect: kaplan-meier-value, kaplan-meier-censoring, kaplan-meier-ties, kaplan-meier-edges: three times
def kaplan_meier(time: np.ndarray, event: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    if len(time) != len(event) or np.any(np.asarray(time) < 0):
        raise ValueError("as many events as times, and no negative time")

    time, event = np.asarray(time, float), np.asarray(event)
    times = np.unique(time[event == 1])
    parts = [1 - np.sum((time == t) & (event == 1)) / np.sum(time >= t) for t in times]
    return np.append(0.0, times), np.append(1.0, np.cumprod(parts))
