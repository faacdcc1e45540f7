# expect: mutual-information-value: is `bins` used
def mutual_information(a, b, bins=32):
    p = np.histogram2d(a.ravel(), b.ravel(), 32)[0]
    p = p / p.sum()
    q = np.outer(p.sum(1), p.sum(0))
    seen = p > 0
    return float((p[seen] * np.log(p[seen] / q[seen])).sum())
