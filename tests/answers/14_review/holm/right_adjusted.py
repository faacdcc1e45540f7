def holm(p, level):
    p = np.asarray(p, float)
    if np.isnan(p).any() or (p < 0).any() or (p > 1).any():
        raise ValueError("no p-value")
    order = np.argsort(p, kind="stable")
    factors = np.arange(len(p), 0, -1)
    adjusted = np.maximum.accumulate(p[order] * factors)
    result = np.empty(len(p), bool)
    result[order] = adjusted <= level * (1 + 1e-12)
    return result.tolist() if len(p) else np.zeros(0, bool)
