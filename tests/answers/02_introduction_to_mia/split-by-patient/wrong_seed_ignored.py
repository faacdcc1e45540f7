# expect: split-by-patient-seed: the same seed
def split_by_patient(patients: np.ndarray, labels: np.ndarray, fraction: float = 0.2, seed: int = 0) -> np.ndarray:
    everybody, sick = np.unique(patients), np.unique(patients[labels == 1])
    drawn = [np.random.default_rng().permutation(g)[: round(fraction * len(g))] for g in (sick, np.setdiff1d(everybody, sick))]
    return np.isin(patients, np.concatenate(drawn))
