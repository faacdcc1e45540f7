# expect: split-by-patient-rare: rounded 0 and 4
def split_by_patient(patients: np.ndarray, labels: np.ndarray, fraction: float = 0.2, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    people = np.unique(patients)
    y = np.array([labels[patients == p].max() for p in people])
    drawn = []
    for c in (0, 1):
        group = people[y == c]
        n = max(1, round(fraction * len(group))) if len(group) else 0  # at least one of each
        drawn += list(rng.permutation(group)[:n])
    return np.isin(patients, drawn)
