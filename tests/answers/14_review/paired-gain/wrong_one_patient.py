# expect: paired-gain-refused: one common patient has no spread
def paired_gain(a, b):
    common = sorted(a.keys() & b.keys())
    if len(common) < 1:
        raise ValueError("too few")
    d = np.array([a[c] - b[c] for c in common], float)
    if np.isnan(d).any():
        raise ValueError("no score")
    half = 1.96 * d.std(ddof=min(1, len(d) - 1)) / np.sqrt(len(d))
    return len(d), d.mean(), d.mean() - half, d.mean() + half
