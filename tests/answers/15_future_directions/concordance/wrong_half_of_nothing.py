# expect: concordance-bad: raise a ValueError
def concordance(time: np.ndarray, event: np.ndarray, risk: np.ndarray) -> float:
    time, risk, died = np.asarray(time, dtype=float), np.asarray(risk, dtype=float), np.asarray(event).astype(bool)
    if not len(time) == len(risk) == len(died):
        raise ValueError("one length is needed")
    if not (np.isfinite(time).all() and np.isfinite(risk).all()):
        raise ValueError("finite values are needed")
    good = count = 0.0
    for i in range(len(time)):
        for j in range(len(time)):
            if died[i] and (time[i] < time[j] or (time[i] == time[j] and not died[j])):
                count += 1
                good += 1.0 if risk[i] > risk[j] else 0.5 if risk[i] == risk[j] else 0.0
    if count == 0:
        return 0.5
    return good / count
