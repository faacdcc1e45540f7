def leakage_audit(values: np.ndarray, recorded: np.ndarray, decided: np.ndarray, y: np.ndarray) -> dict[str, np.ndarray]:
    """What of a table was known when each prediction is made."""
    known, late, presence = np.array(values, dtype=float), [], []
    for j in range(values.shape[1]):
        written = [i for i in range(len(values)) if not np.isnan(values[i, j])]
        after = [i for i in written if recorded[i, j] > decided[i]]
        known[after, j] = np.nan
        late.append(len(after) / len(written) if written else 0.0)
        there = ~np.isnan(values[:, j])
        presence.append(0.5 + abs(there[y == 1].mean() - there[y == 0].mean()) / 2)
    return {"known": known, "late": np.array(late), "presence": np.array(presence)}
