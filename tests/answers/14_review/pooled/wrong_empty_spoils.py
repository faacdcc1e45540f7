# expect: pooled-empty: 0 times nan is nan
def pooled(n, mean, variance):
    n, mean, variance = (np.asarray(values, float) for values in (n, mean, variance))
    there = n >= 0
    if n.sum() == 0:
        raise ValueError("nobody")
    share = n[there] / n[there].sum()
    middle = share @ mean[there]
    return middle, share @ (variance[there] + (mean[there] - middle) ** 2)
