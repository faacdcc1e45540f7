# expect: few-shot-edges: standard deviation is 1e-17 by rounding
def few_shot(support: np.ndarray, labels: np.ndarray, queries: np.ndarray, k: int) -> np.ndarray:
    if not 1 <= k <= len(support):
        raise ValueError(f"k must be between 1 and the {len(support)} labelled images, not {k}")
    mean, sd = support.mean(axis=0), support.std(axis=0)
    used = sd > 0
    a, b = ((x[:, used] - mean[used]) / sd[used] for x in (support, queries))
    a, b = (x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-12) for x in (a, b))
    nearest = np.argsort(-(b @ a.T), axis=1, kind="stable")[:, :k]
    return np.asarray(labels)[nearest].mean(axis=1)
