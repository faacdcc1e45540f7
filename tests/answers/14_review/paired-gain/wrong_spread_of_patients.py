# expect: paired-gain-interval: spread of single patients
def paired_gain(a, b):
    common = sorted(a.keys() & b.keys())
    if len(common) < 2:
        raise ValueError("too few")
    d = np.array([a[c] - b[c] for c in common], float)
    if np.isnan(d).any():
        raise ValueError("no score")
    half = 1.96 * d.std(ddof=1)
    return len(d), d.mean(), d.mean() - half, d.mean() + half
