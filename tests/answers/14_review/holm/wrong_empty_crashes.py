# expect: holm-refused: IndexError
def holm(p, level):
    p = np.asarray(p, dtype=float)
    if not ((p >= 0) & (p <= 1)).all():
        raise ValueError("no p-value")
    m = len(p)
    p[0]
    order = np.argsort(p)
    passes = p[order] <= level / (m - np.arange(m))
    kept = np.zeros(m, dtype=bool)
    kept[order] = np.logical_and.accumulate(passes)
    return kept
