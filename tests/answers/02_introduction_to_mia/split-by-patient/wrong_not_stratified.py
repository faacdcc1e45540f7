# expect: split-by-patient-rare: separately
def split_by_patient(patients: np.ndarray, labels: np.ndarray, fraction: float = 0.2, seed: int = 0) -> np.ndarray:
    names = np.unique(patients)
    drawn = np.random.default_rng(seed).permutation(names)[: round(fraction * len(names))]
    return np.isin(patients, drawn)
