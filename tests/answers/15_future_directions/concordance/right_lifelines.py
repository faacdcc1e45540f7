def concordance(time: np.ndarray, event: np.ndarray, risk: np.ndarray) -> float:
    time, risk, died = np.asarray(time, dtype=float), np.asarray(risk, dtype=float), np.asarray(event).astype(bool)
    if not len(time) == len(risk) == len(died):
        raise ValueError("one length is needed")
    if not (np.isfinite(time).all() and np.isfinite(risk).all()):
        raise ValueError("finite values are needed")
    from lifelines.utils import concordance_index

    try:
        return float(concordance_index(time, -risk, died))
    except ZeroDivisionError as problem:
        raise ValueError("no pair is comparable") from problem
