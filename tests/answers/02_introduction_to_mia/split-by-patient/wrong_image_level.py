# expect: split-by-patient-leak, split-by-patient-rare: training AND test
def split_by_patient(patients: np.ndarray, labels: np.ndarray, fraction: float = 0.2, seed: int = 0) -> np.ndarray:
    test = np.zeros(len(patients), bool)
    test[np.random.default_rng(seed).permutation(len(patients))[: round(fraction * len(patients))]] = True
    return test
