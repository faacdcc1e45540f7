# expect: folds-transfers: stays in the test
def hospital_folds(sites: np.ndarray, patients: np.ndarray) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    sites, patients = np.asarray(sites), np.asarray(patients)
    if len(sites) != len(patients) or len(np.unique(sites)) < 2:
        raise ValueError("each row needs a site and a patient, and there must be two hospitals at least")
    folds = {}
    for site in np.unique(sites):
        test = sites == site
        seen = np.isin(patients, patients[test])
        folds[str(site)] = (np.flatnonzero(~test & ~seen), np.flatnonzero(seen))
    return folds
