def recall_at_k(similarity: np.ndarray, texts: list[str], k: int) -> float:
    n = len(texts)
    if np.shape(similarity) != (n, n) or np.isnan(similarity).any() or not 1 <= k <= n:
        raise ValueError("bad input")
    hits = 0
    for i in range(n):
        # wrong before right among equal similarities
        order = sorted(range(n), key=lambda j: (-similarity[i][j], texts[j] == texts[i]))
        hits += any(texts[j] == texts[i] for j in order[:k])
    return hits / n
