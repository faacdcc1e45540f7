# expect: make-bags-unknown: one abnormal cell settles it
def make_bags(patients: np.ndarray, findings: np.ndarray) -> tuple[list, list]:
    if len(patients) != len(findings):
        raise ValueError("lengths differ")
    rows, labels = [], []
    for name in dict.fromkeys(patients.tolist()):
        members = np.flatnonzero(patients == name)
        seen = findings[members]
        rows.append(members.tolist())
        labels.append(-1 if (seen == -1).any() else int(seen.max()))
    return rows, labels
