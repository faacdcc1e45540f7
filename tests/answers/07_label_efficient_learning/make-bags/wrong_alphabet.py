# expect: make-bags-rows: not in the order of the alphabet
def make_bags(patients: np.ndarray, findings: np.ndarray) -> tuple[list, list]:
    if len(patients) != len(findings):
        raise ValueError("lengths differ")
    rows, labels = [], []
    for name in np.unique(patients):
        members = np.flatnonzero(patients == name)
        seen = findings[members]
        rows.append(members.tolist())
        labels.append(1 if (seen == 1).any() else 0 if (seen == 0).all() else -1)
    return rows, labels
