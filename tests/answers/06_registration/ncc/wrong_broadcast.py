# expect: ncc-constant: quietly repeat the line
def ncc(a, b):
    a0, b0 = a.astype(float) - a.mean(), b.astype(float) - b.mean()
    d = np.sqrt((a0**2).sum() * (b0**2).sum())
    if d == 0:
        return 0.0
    return float((a0 * b0).sum() / d)
