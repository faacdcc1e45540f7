# expect: make-bags-leak, make-bags-rows: the instance labels leak into the bag by choice or by order
def make_bags(patients: np.ndarray, findings: np.ndarray) -> tuple[list, list]:
    if len(patients) != len(findings):
        raise ValueError("lengths differ")
    rows, labels = [], []
    for name in dict.fromkeys(patients.tolist()):
        members = np.flatnonzero(patients == name)
        seen = findings[members]
        rows.append(members[np.argsort(-seen, kind="stable")].tolist())
        labels.append(1 if (seen == 1).any() else 0 if (seen == 0).all() else -1)
    return rows, labels
