# expect: pooled-mean: each counts by its patients
def pooled(n, mean, variance):
    n, mean, variance = (np.asarray(values, float) for values in (n, mean, variance))
    there = n > 0
    if not there.any():
        raise ValueError("nobody")
    share = np.ones(there.sum()) / there.sum()
    middle = share @ mean[there]
    return middle, share @ (variance[there] + (mean[there] - middle) ** 2)
