# expect: few-shot-edges: constant in the support gives nan
def few_shot(support: np.ndarray, labels: np.ndarray, queries: np.ndarray, k: int) -> np.ndarray:
    if k < 1 or k > len(support):
        raise ValueError("k must be between 1 and n")
    with np.errstate(divide="ignore", invalid="ignore"):
        a, b = ((x - support.mean(0)) / support.std(0) for x in (support, queries))
        a, b = (x / np.linalg.norm(x, axis=1, keepdims=True) for x in (a, b))
        similarity = b @ a.T
    return np.where(np.isfinite(similarity).all(1), labels[np.argsort(-similarity, axis=1, kind="stable")[:, :k]].mean(axis=1), np.nan)
