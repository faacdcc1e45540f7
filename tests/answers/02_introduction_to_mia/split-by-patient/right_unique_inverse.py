def split_by_patient(patients: np.ndarray, labels: np.ndarray, fraction: float = 0.2, seed: int = 0) -> np.ndarray:
    names, index = np.unique(patients, return_inverse=True)
    ill = np.zeros(len(names), int)
    np.maximum.at(ill, index, labels)
    keys = np.random.default_rng(seed).random(len(names))
    take = np.zeros(len(names), bool)
    for status in (0, 1):
        members = np.flatnonzero(ill == status)
        take[members[np.argsort(keys[members])][: int(np.rint(fraction * len(members)))]] = True
    return take[index]
