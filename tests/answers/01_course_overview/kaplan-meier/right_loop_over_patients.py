def kaplan_meier(time: np.ndarray, event: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    if len(time) != len(event) or np.any(np.asarray(time) < 0):
        raise ValueError("as many events as times, and no negative time")

    at_risk, survival, times, curve = len(time), 1.0, [], []
    for t in sorted(set(np.asarray(time).tolist())):
        here = [bool(e) for u, e in zip(time, event) if u == t]
        if any(here):
            survival *= 1 - sum(here) / at_risk
            times.append(t)
            curve.append(survival)
        at_risk -= len(here)
    return np.array(times), np.array(curve)
