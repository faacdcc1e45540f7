# expect: make-bags-label, make-bags-leak, make-bags-unknown: the label belongs to the bag
def make_bags(patients: np.ndarray, findings: np.ndarray) -> tuple[list, list]:
    if len(patients) != len(findings):
        raise ValueError("lengths differ")
    rows = [np.flatnonzero(patients == name).tolist() for name in dict.fromkeys(patients.tolist())]
    return rows, [int(findings[patients == name].max()) for name in patients]
