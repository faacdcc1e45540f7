def shortcut_audit(p: np.ndarray, p_removed: np.ndarray, y: np.ndarray, marker: np.ndarray) -> dict[str, float]:
    marker = np.asarray(marker, bool)
    if not marker.any():
        raise ValueError("no mark")
    if not any((y[marker == m] == 1).any() and (y[marker == m] == 0).any() for m in (True, False)):
        raise ValueError("no pair")
    from sklearn.metrics import roc_auc_score

    pairs = right = 0.0
    for status in (True, False):
        here = marker == status
        count = (y[here] == 1).sum() * (y[here] == 0).sum()
        if count:
            right += count * roc_auc_score(y[here], p[here])
            pairs += count
    return {"effect": float(np.mean(p[marker] - p_removed[marker])), "auc": float(roc_auc_score(y, p)), "auc_within": float(right / pairs)}
