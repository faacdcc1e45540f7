# expect: kaplan-meier-edges: negative follow-up
def kaplan_meier(time: np.ndarray, event: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    time, event = np.asarray(time, float), np.asarray(event)
    times = np.unique(time[event == 1])
    parts = [1 - np.sum((time == t) & (event == 1)) / np.sum(time >= t) for t in times]
    return times, np.cumprod(parts)
