# expect: kaplan-meier-ties: take distinct times
def kaplan_meier(time: np.ndarray, event: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    if len(time) != len(event) or np.any(np.asarray(time) < 0):
        raise ValueError("as many events as times, and no negative time")

    order = np.argsort(time, kind="stable")
    time, event = np.asarray(time, float)[order], np.asarray(event)[order]
    at_risk = len(time) - np.arange(len(time))
    curve = np.cumprod(1 - event / at_risk)
    return time[event == 1], curve[event == 1]
