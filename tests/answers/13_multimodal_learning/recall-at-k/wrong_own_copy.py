# expect: recall-at-k-duplicates: only the film's own copy
def recall_at_k(similarity: np.ndarray, texts: list[str], k: int) -> float:
    n = len(texts)
    if np.shape(similarity) != (n, n) or np.isnan(similarity).any() or not 1 <= k <= n:
        raise ValueError("bad input")
    own = np.diag(similarity)[:, None]
    other = ~np.eye(n, dtype=bool)
    return float(((other & (similarity >= own)).sum(1) < k).mean())
