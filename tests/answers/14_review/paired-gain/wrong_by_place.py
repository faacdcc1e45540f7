# expect: paired-gain-mean, paired-gain-interval: three patients are common
def paired_gain(a, b):
    n = min(len(a), len(b))
    if n < 2:
        raise ValueError("too few")
    d = np.array(list(a.values())[:n]) - np.array(list(b.values())[:n])
    if np.isnan(d).any():
        raise ValueError("no score")
    half = 1.96 * d.std(ddof=1) / np.sqrt(n)
    return n, d.mean(), d.mean() - half, d.mean() + half
