# expect: split-by-patient-leak, split-by-patient-rare: training AND test
from sklearn.model_selection import train_test_split


def split_by_patient(patients: np.ndarray, labels: np.ndarray, fraction: float = 0.2, seed: int = 0) -> np.ndarray:
    rows = np.arange(len(patients))
    stratify = labels if 1 < min(np.bincount(labels, minlength=2)) else None
    _train, test = train_test_split(rows, test_size=fraction, random_state=seed, stratify=stratify)
    return np.isin(rows, test)
