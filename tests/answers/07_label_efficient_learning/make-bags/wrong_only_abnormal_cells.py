# expect: make-bags-rows, make-bags-leak: normal cells of a sick patient belong into it
def make_bags(patients: np.ndarray, findings: np.ndarray) -> tuple[list, list]:
    if len(patients) != len(findings):
        raise ValueError("lengths differ")
    rows, labels = [], []
    for name in dict.fromkeys(patients.tolist()):
        members = np.flatnonzero(patients == name)
        seen = findings[members]
        rows.append(members[seen == 1].tolist() if (seen == 1).any() else members.tolist())
        labels.append(1 if (seen == 1).any() else 0 if (seen == 0).all() else -1)
    return rows, labels
