# expect: kaplan-meier-ties: caller's array
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
    if len(time) != len(event):
        raise ValueError("lengths differ")
    if (time < 0).any():
        raise ValueError("negative time")
    order = np.argsort(time)
    time[:], event[:] = time[order], event[order]
    times = np.unique(time[event == 1])
    survival, s = [], 1.0
    for t in times:
        s *= 1 - ((time == t) & (event == 1)).sum() / (time >= t).sum()
        survival.append(s)
    return times, np.array(survival)
