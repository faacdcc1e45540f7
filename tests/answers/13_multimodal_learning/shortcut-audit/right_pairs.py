def shortcut_audit(p: np.ndarray, p_removed: np.ndarray, y: np.ndarray, marker: np.ndarray) -> dict[str, float]:
    marker = np.asarray(marker, bool)
    if not marker.any():
        raise ValueError("no mark")
    if not any((y[marker == m] == 1).any() and (y[marker == m] == 0).any() for m in (True, False)):
        raise ValueError("no pair")
    every, same = [], []
    for i in np.flatnonzero(y == 1):
        for j in np.flatnonzero(y == 0):
            score = 1.0 if p[i] > p[j] else 0.5 if p[i] == p[j] else 0.0
            every.append(score)
            if marker[i] == marker[j]:
                same.append(score)
    return {"effect": float(((p - p_removed) * marker).sum() / marker.sum()), "auc": float(np.mean(every)), "auc_within": float(np.mean(same))}
