# expect: split-by-patient-leak, split-by-patient-rare: share of test patients
def split_by_patient(patients: np.ndarray, labels: np.ndarray, fraction: float = 0.2, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    people = np.unique(patients)
    y = np.array([labels[patients == p].max() for p in people])
    drawn = []
    for c in (0, 1):
        group = people[y == c]
        drawn += list(rng.permutation(group)[: int(fraction * len(group))])
    return np.isin(patients, drawn)
