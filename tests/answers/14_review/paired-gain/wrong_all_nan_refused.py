# expect: paired-gain-refused: of a patient that is not common does no harm
def paired_gain(a, b):
    if any(v != v for v in [*a.values(), *b.values()]):
        raise ValueError('nan')
    common = sorted(a.keys() & b.keys())
    if len(common) < 2:
        raise ValueError("too few")
    d = np.array([a[c] - b[c] for c in common], float)
    if np.isnan(d).any():
        raise ValueError("no score")
    half = 1.96 * d.std(ddof=1) / np.sqrt(len(d))
    return len(d), d.mean(), d.mean() - half, d.mean() + half
