# expect: recall-at-k-value: largest similarity first
def recall_at_k(similarity: np.ndarray, texts: list[str], k: int) -> float:
    n = len(texts)
    if np.shape(similarity) != (n, n) or np.isnan(similarity).any() or not 1 <= k <= n:
        raise ValueError("bad input")
    names = np.asarray(texts)
    right = names[:, None] == names[None]
    order = np.argsort(similarity, axis=1)[:, :k]
    return float(np.take_along_axis(right, order, 1).any(1).mean())
