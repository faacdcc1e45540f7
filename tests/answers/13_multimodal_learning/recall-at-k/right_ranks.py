def recall_at_k(similarity, texts, k):
    s = np.asarray(similarity, float)
    n = len(texts)
    if s.shape != (n, n) or np.isnan(s).any() or not 1 <= k <= n:
        raise ValueError("no")
    names = np.asarray(texts)
    right = names[:, None] == names[None]
    best = np.where(right, s, -np.inf).max(1)
    rank = 1 + ((s >= best[:, None]) & ~right).sum(1)
    return float((rank <= k).mean())
