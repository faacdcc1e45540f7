def make_bags(patients: np.ndarray, findings: np.ndarray) -> tuple[list, list]:
    if len(patients) != len(findings):
        raise ValueError("lengths differ")
    rows = {}
    for i, name in enumerate(patients):
        rows.setdefault(str(name), []).append(i)
    labels = []
    for members in rows.values():
        seen = [int(findings[i]) for i in members]
        labels.append(1 if 1 in seen else -1 if -1 in seen else 0)
    return list(rows.values()), labels
