# expect: shortcut-audit-effect: dilute the mean
def shortcut_audit(p: np.ndarray, p_removed: np.ndarray, y: np.ndarray, marker: np.ndarray) -> dict[str, float]:
    marker = np.asarray(marker, bool)
    if not marker.any():
        raise ValueError("no mark")
    if not any((y[marker == m] == 1).any() and (y[marker == m] == 0).any() for m in (True, False)):
        raise ValueError("no pair")
    sick, healthy = y == 1, y == 0
    a, b = p[sick][:, None], p[healthy][None]
    higher = (a > b) * 1.0 + 0.5 * (a == b)
    same = marker[sick][:, None] == marker[healthy][None]
    return {"effect": float((p - p_removed).mean()), "auc": float(higher.mean()), "auc_within": float(higher[same].mean())}
