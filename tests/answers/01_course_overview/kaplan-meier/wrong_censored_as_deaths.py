# expect: kaplan-meier-value, kaplan-meier-censoring, kaplan-meier-ties, kaplan-meier-edges: censored patients are not deaths
def kaplan_meier(time: np.ndarray, event: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    if len(time) != len(event) or np.any(np.asarray(time) < 0):
        raise ValueError("as many events as times, and no negative time")

    times = np.unique(np.asarray(time, float))
    parts = [1 - np.sum(time == t) / np.sum(time >= t) for t in times]
    return times, np.cumprod(parts)
