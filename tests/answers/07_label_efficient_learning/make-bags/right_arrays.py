def make_bags(patients: np.ndarray, findings: np.ndarray) -> tuple[list, list]:
    if np.shape(patients) != np.shape(findings):
        raise ValueError("patients and findings must have the same length")
    names, first = np.unique(patients, return_index=True)
    names = names[np.argsort(first)]
    rows = [np.flatnonzero(patients == name) for name in names]
    labels = np.array([1 if findings[r].max() == 1 else findings[r].min() for r in rows])
    return rows, labels
