# expect: ncc-constant: a small contrast is not a constant image
def ncc(a, b):
    if a.shape != b.shape: raise ValueError
    a0, b0 = a.astype(float) - a.mean(), b.astype(float) - b.mean()
    d = (a0**2).sum() * (b0**2).sum()
    return 0.0 if d < 1e-3 else float((a0 * b0).sum() / np.sqrt(d))
