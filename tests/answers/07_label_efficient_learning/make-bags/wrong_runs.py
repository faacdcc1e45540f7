# expect: make-bags-rows, make-bags-label, make-bags-leak, make-bags-unknown: one patient's cells may stand apart
def make_bags(patients: np.ndarray, findings: np.ndarray) -> tuple[list, list]:
    if len(patients) != len(findings):
        raise ValueError("lengths differ")
    cuts = np.flatnonzero(patients[1:] != patients[:-1]) + 1
    rows = [part.tolist() for part in np.split(np.arange(len(patients)), cuts)]
    return rows, [1 if (findings[r] == 1).any() else 0 if (findings[r] == 0).all() else -1 for r in rows]
