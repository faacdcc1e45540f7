# expect: make-bags-label, make-bags-leak: expected the labels [1, 0, 1]
def make_bags(patients: np.ndarray, findings: np.ndarray) -> tuple[list, list]:
    if len(patients) != len(findings):
        raise ValueError("lengths differ")
    rows, labels = [], []
    for name in dict.fromkeys(patients.tolist()):
        members = np.flatnonzero(patients == name)
        seen = findings[members]
        rows.append(members.tolist())
        labels.append(int((seen == 1).sum()) or (0 if (seen == 0).all() else -1))
    return rows, labels
