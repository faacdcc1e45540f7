# expect: kaplan-meier-value, kaplan-meier-censoring, kaplan-meier-ties, kaplan-meier-edges: left out
def kaplan_meier(time: np.ndarray, event: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    if len(time) != len(event) or np.any(np.asarray(time) < 0):
        raise ValueError("as many events as times, and no negative time")

    time = np.asarray(time, float)[np.asarray(event) == 1]
    times = np.unique(time)
    return times, np.cumprod([1 - np.sum(time == t) / np.sum(time >= t) for t in times])
