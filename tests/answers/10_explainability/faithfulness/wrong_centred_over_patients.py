# expect: faithfulness-patients: patients 0 and 1 have true maps
def faithfulness(importance, removed, full, without):
    N, K = importance.shape
    M = removed.shape[0]
    if removed.shape != (M, K) or full.shape != (N,) or without.shape != (N, M) or np.isnan(importance).any() or np.isnan(full).any() or np.isnan(without).any():
        raise ValueError("bad")
    p, d = importance @ removed.T.astype(float), full[:, None] - without
    p, d = p - p.mean(0), d - d.mean(0)
    den = np.sqrt((p**2).sum(1) * (d**2).sum(1))
    return np.where(den > 1e-12, (p * d).sum(1) / np.where(den > 1e-12, den, 1), 0)
