def ncc(a, b):
    if a.shape != b.shape:
        raise ValueError("shapes")
    a, b = a.astype(np.float64), b.astype(np.float64)
    if a.std() < 1e-9 or b.std() < 1e-9:
        return 0.0
    return float(np.mean((a - a.mean()) / a.std() * ((b - b.mean()) / b.std())))
