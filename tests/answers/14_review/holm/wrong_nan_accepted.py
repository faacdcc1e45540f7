# expect: holm-refused: no p-value
def holm(p, level):
    p = np.asarray(p, dtype=float)
    if (p < 0).any() or (p > 1).any():
        raise ValueError("no p-value")
    m = len(p)
    order = np.argsort(p)
    passes = p[order] <= level / (m - np.arange(m))
    kept = np.zeros(m, dtype=bool)
    kept[order] = np.logical_and.accumulate(passes)
    return kept
