# expect: few-shot-value: another share than the cosine's neighbours
def few_shot(support: np.ndarray, labels: np.ndarray, queries: np.ndarray, k: int) -> np.ndarray:
    if k < 1 or k > len(support):
        raise ValueError("k must be between 1 and n")
    mean, sd = support.mean(0), support.std(0)
    used = np.ptp(support, axis=0) > 0
    a, b = (support[:, used] - mean[used]) / sd[used], (queries[:, used] - mean[used]) / sd[used]
    similarity = -((b[:, None] - a[None]) ** 2).sum(-1)
    return labels[np.argsort(-similarity, axis=1, kind="stable")[:, :k]].mean(axis=1)
