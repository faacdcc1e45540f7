# expect: folds-hospitals: should be all rows of
def hospital_folds(sites: np.ndarray, patients: np.ndarray) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    if len(np.unique(sites)) < 2 or len(sites) != len(patients):
        raise ValueError("two hospitals are needed")
    rows = np.random.default_rng(0).permutation(len(sites))
    parts = np.array_split(rows, len(np.unique(sites)))
    return {str(s): (np.setdiff1d(rows, part), part) for s, part in zip(np.unique(sites), parts)}
