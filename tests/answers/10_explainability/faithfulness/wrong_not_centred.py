# expect: faithfulness-patients: A correlation is centred
def faithfulness(importance, removed, full, without):
    N, K = importance.shape
    M = removed.shape[0]
    if removed.shape != (M, K) or full.shape != (N,) or without.shape != (N, M) or np.isnan(importance).any() or np.isnan(full).any() or np.isnan(without).any():
        raise ValueError("bad")
    p, d = importance @ removed.T.astype(float), full[:, None] - without
    den = np.linalg.norm(p, axis=1) * np.linalg.norm(d, axis=1)
    return np.where(den > 0, (p * d).sum(1) / np.where(den > 0, den, 1), 0)
