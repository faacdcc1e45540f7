# expect: split-by-patient-leak: test patients
def split_by_patient(patients: np.ndarray, labels: np.ndarray, fraction: float = 0.2, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    test, sick = np.zeros(len(patients), bool), np.unique(patients[labels == 1])
    for group in (sick, np.setdiff1d(np.unique(patients), sick)):
        total, taken = np.isin(patients, group).sum(), 0
        for name in rng.permutation(group):
            if taken < fraction * total:
                test |= patients == name
                taken += (patients == name).sum()
    return test
