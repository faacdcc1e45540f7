def hospital_folds(sites: np.ndarray, patients: np.ndarray) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    if len(set(sites)) < 2 or len(patients) != len(sites):
        raise ValueError("two hospitals are needed")
    rows = list(zip(sites.tolist(), patients.tolist()))
    out = {}
    for home in sorted({s for s, _ in rows}):
        there = {p for s, p in rows if s == home}
        test = [i for i, (s, _) in enumerate(rows) if s == home]
        rest = [i for i, (s, p) in enumerate(rows) if s != home and p not in there]
        out[home] = (np.array(rest, dtype=int), np.array(test, dtype=int))
    return out
