def leakage_audit(values, recorded, decided, y):
    there = np.isfinite(values)
    late = recorded > decided[:, None]
    rate = there[y == 1].mean(0) - there[y == 0].mean(0)
    return {"known": np.where(late, np.nan, values), "late": late.sum(0) / np.maximum(there.sum(0), 1), "presence": 0.5 + np.abs(rate) / 2}
