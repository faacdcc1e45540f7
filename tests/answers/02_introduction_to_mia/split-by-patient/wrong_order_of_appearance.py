# expect: split-by-patient-seed: another order
def split_by_patient(patients: np.ndarray, labels: np.ndarray, fraction: float = 0.2, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    people = list(dict.fromkeys(patients.tolist()))  # in the order in which they come
    y = np.array([labels[patients == p].max() for p in people]); people = np.array(people)
    drawn = []
    for c in (0, 1):
        group = people[y == c]
        drawn += list(rng.permutation(group)[: round(fraction * len(group))])
    return np.isin(patients, drawn)
