def faithfulness(importance, removed, full, without):
    if np.ndim(importance) != 2 or np.shape(removed)[1] != np.shape(importance)[1] or np.shape(without) != (len(importance), len(removed)) or np.shape(full) != (len(importance),):
        raise ValueError("shapes")
    if np.isnan(np.sum(importance)) or np.isnan(np.sum(full)) or np.isnan(np.sum(without)):
        raise ValueError("nan")
    r = []
    for a, f, left in zip(importance, full, without):
        promised = [a[s].sum() for s in removed]
        drop = f - left
        r.append(0.0 if np.std(promised) < 1e-12 or np.std(drop) < 1e-12 else np.corrcoef(promised, drop)[0, 1])
    return np.array(r)
