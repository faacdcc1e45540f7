# expect: paired-gain-interval: added the spreads
def paired_gain(a, b):
    common = sorted(a.keys() & b.keys())
    if len(common) < 2:
        raise ValueError("too few")
    d = np.array([a[c] - b[c] for c in common], float)
    if np.isnan(d).any():
        raise ValueError("no score")
    x, y = np.array([a[c] for c in common]), np.array([b[c] for c in common])
    half = 1.96 * np.sqrt(x.var(ddof=1) / len(x) + y.var(ddof=1) / len(y))
    return len(d), d.mean(), d.mean() - half, d.mean() + half
