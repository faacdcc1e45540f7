# expect: pooled-variance: they count by their patients, too
def pooled(n, mean, variance):
    n, mean, variance = (np.asarray(values, float) for values in (n, mean, variance))
    there = n > 0
    if not there.any():
        raise ValueError("nobody")
    share = n[there] / n[there].sum()
    middle = share @ mean[there]
    return middle, share @ variance[there] + mean[there].var()
