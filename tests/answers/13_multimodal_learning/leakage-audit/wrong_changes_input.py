# expect: leakage-audit-input: changed the table
def leakage_audit(values: np.ndarray, recorded: np.ndarray, decided: np.ndarray, y: np.ndarray) -> dict[str, np.ndarray]:
    """What of a table was known when each prediction is made."""
    from sklearn.metrics import roc_auc_score

    written = ~np.isnan(values)
    late = written & (recorded > decided[:, None])
    areas = np.array([roc_auc_score(y, column) for column in written.T.astype(float)])
    values[late] = np.nan
    return {
        "known": values,
        "late": late.sum(0) / np.maximum(written.sum(0), 1),
        "presence": np.maximum(areas, 1 - areas),
    }
