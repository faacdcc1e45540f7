# expect: pooled-empty: raise ValueError
def pooled(n, mean, variance):
    n, mean, variance = (np.asarray(values, float) for values in (n, mean, variance))
    there = n > 0
    if not there.any():
        return 0.0, 0.0
    share = n[there] / n[there].sum()
    middle = share @ mean[there]
    return middle, share @ (variance[there] + (mean[there] - middle) ** 2)
