# expect: recall-at-k-value: divided by the queries
def recall_at_k(similarity: np.ndarray, texts: list[str], k: int) -> float:
    n = len(texts)
    if np.shape(similarity) != (n, n) or np.isnan(similarity).any() or not 1 <= k <= n:
        raise ValueError("bad input")
    names = np.asarray(texts)
    right = names[:, None] == names[None]
    best = np.where(right, similarity, -np.inf).max(axis=1)
    return float(((~right & (similarity >= best[:, None])).sum(axis=1) < k).mean() / k)
