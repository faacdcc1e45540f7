def faithfulness(importance, removed, full, without):
    importance, removed, full, without = (np.asarray(a, float) for a in (importance, removed, full, without))
    N, K = importance.shape
    M = removed.shape[0]
    if removed.shape != (M, K) or full.shape != (N,) or without.shape != (N, M) or M < 2:
        raise ValueError("shapes")
    if np.isnan(importance).any() or np.isnan(full).any() or np.isnan(without).any():
        raise ValueError("nan")
    promise = importance @ removed.T
    drop = full[:, None] - without
    r = np.zeros(N)
    for i in range(N):
        if promise[i].std() < 1e-12 or drop[i].std() < 1e-12:
            continue
        r[i] = np.corrcoef(promise[i], drop[i])[0, 1]
    return r
