# expect: split-by-patient-rare: one sick image
def split_by_patient(patients: np.ndarray, labels: np.ndarray, fraction: float = 0.2, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    label_of = dict(zip(patients.tolist(), labels.tolist()))  # overwritten by later images
    people = np.array(sorted(label_of)); y = np.array([label_of[p] for p in people])
    drawn = []
    for c in (0, 1):
        group = people[y == c]
        drawn += list(rng.permutation(group)[: round(fraction * len(group))])
    return np.isin(patients, drawn)
