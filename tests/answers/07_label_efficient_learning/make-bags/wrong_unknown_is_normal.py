# expect: make-bags-unknown: nobody knows, so -1
def make_bags(patients: np.ndarray, findings: np.ndarray) -> tuple[list, list]:
    if len(patients) != len(findings):
        raise ValueError("lengths differ")
    rows, labels = [], []
    for name in dict.fromkeys(patients.tolist()):
        members = np.flatnonzero(patients == name)
        seen = findings[members]
        rows.append(members.tolist())
        labels.append(int(max(seen.max(), 0)))
    return rows, labels
