# expect: shortcut-audit-bad: must raise a ValueError
def shortcut_audit(p: np.ndarray, p_removed: np.ndarray, y: np.ndarray, marker: np.ndarray) -> dict[str, float]:
    marker = np.asarray(marker, bool)
    sick, healthy = y == 1, y == 0
    a, b = p[sick][:, None], p[healthy][None]
    higher = (a > b) * 1.0 + 0.5 * (a == b)
    same = marker[sick][:, None] == marker[healthy][None]
    return {"effect": float((p - p_removed)[marker].mean()), "auc": float(higher.mean()), "auc_within": float(higher[same].mean())}
