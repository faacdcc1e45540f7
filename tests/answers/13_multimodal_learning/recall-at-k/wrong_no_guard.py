# expect: recall-at-k-bad: must raise a ValueError
def recall_at_k(similarity: np.ndarray, texts: list[str], k: int) -> float:
    names = np.asarray(texts)
    right = names[:, None] == names[None]
    best = np.where(right, similarity, -np.inf).max(axis=1)
    return float(((~right & (similarity >= best[:, None])).sum(axis=1) < k).mean())
