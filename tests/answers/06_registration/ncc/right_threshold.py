def ncc(a, b):
    if a.shape != b.shape:
        raise ValueError("shapes differ")
    a = a.astype(float); b = b.astype(float)
    a0, b0 = a - a.mean(), b - b.mean()
    d = np.sqrt((a0**2).sum() * (b0**2).sum())
    return 0.0 if d < 1e-12 else float((a0 * b0).sum() / d)
