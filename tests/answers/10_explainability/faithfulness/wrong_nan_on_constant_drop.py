# expect: faithfulness-patients: there is nothing to correlate
def faithfulness(importance, removed, full, without):
    N, K = importance.shape
    M = removed.shape[0]
    if removed.shape != (M, K) or full.shape != (N,) or without.shape != (N, M) or np.isnan(importance).any() or np.isnan(full).any() or np.isnan(without).any():
        raise ValueError("bad")
    p, d = importance @ removed.T.astype(float), full[:, None] - without
    return np.array([0.0 if a.std() < 1e-12 else np.corrcoef(a, b)[0, 1] for a, b in zip(p, d)])
