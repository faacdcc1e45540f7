def ncc(a, b):
    if a.shape != b.shape:
        raise ValueError("shapes")
    if np.ptp(a) == 0 or np.ptp(b) == 0:
        return 0.0
    return np.corrcoef(np.ravel(a), np.ravel(b))[0, 1]
