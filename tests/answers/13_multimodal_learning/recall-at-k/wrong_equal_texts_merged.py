# expect: recall-at-k-duplicates: three candidates, not one
def recall_at_k(similarity: np.ndarray, texts: list[str], k: int) -> float:
    n = len(texts)
    if np.shape(similarity) != (n, n) or np.isnan(similarity).any() or not 1 <= k <= n:
        raise ValueError("bad input")
    seen = 0
    for i in range(n):
        best = max(similarity[i][j] for j in range(n) if texts[j] == texts[i])
        seen += len({texts[j] for j in range(n) if texts[j] != texts[i] and similarity[i][j] >= best}) < k
    return seen / n
