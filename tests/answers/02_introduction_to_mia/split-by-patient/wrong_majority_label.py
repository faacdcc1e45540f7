# expect: split-by-patient-rare: one sick image makes a sick patient
def split_by_patient(patients: np.ndarray, labels: np.ndarray, fraction: float = 0.2, seed: int = 0) -> np.ndarray:
    names = np.unique(patients)
    ill = np.array([labels[patients == n].mean() > 0.5 for n in names])
    rng = np.random.default_rng(seed)
    drawn = [rng.permutation(names[g])[: round(fraction * g.sum())] for g in (ill, ~ill)]
    return np.isin(patients, np.concatenate(drawn))
