# expect: kaplan-meier-edges: IndexError
def kaplan_meier(time: np.ndarray, event: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Kaplan-Meier estimate of the survival function.

    Args:
        time: (N,) months from diagnosis to death or to the last visit, at least 0, in any order.
        event: (N,) 1 if the patient died at `time`, 0 if censored (alive at `time`, unknown after).

    Returns:
        The K distinct times of death, ascending, and the K survival probabilities just after each. Both empty if nobody died.

    Raises:
        ValueError: the two arrays differ in length, or a time is negative.
    """
    time, event = np.asarray(time, dtype=float), np.asarray(event)
    if np.any(time < 0):
        raise ValueError("negative time")
    times = np.unique(time[event == 1])
    deaths = np.array([np.sum((time == t) & (event == 1)) for t in times])
    at_risk = np.array([np.sum(time >= t) for t in times])
    return times, np.cumprod(1 - deaths / at_risk)
