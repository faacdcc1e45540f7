# expect: make-bags-unknown: of different length don't belong together
def make_bags(patients: np.ndarray, findings: np.ndarray) -> tuple[list, list]:
    rows = [np.flatnonzero(patients == name).tolist() for name in dict.fromkeys(patients.tolist())]
    return rows, [1 if (findings[r] == 1).any() else 0 if (findings[r] == 0).all() else -1 for r in rows]
