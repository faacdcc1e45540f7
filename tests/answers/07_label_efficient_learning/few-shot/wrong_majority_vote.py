# expect: few-shot-value, few-shot-leak, few-shot-edges: share 0.5
def few_shot(support: np.ndarray, labels: np.ndarray, queries: np.ndarray, k: int) -> np.ndarray:
    if k < 1 or k > len(support):
        raise ValueError("k must be between 1 and n")
    mean, sd = support.mean(0), support.std(0)
    used = np.ptp(support, axis=0) > 0
    a, b = (support[:, used] - mean[used]) / sd[used], (queries[:, used] - mean[used]) / sd[used]
    a, b = a / np.maximum(np.linalg.norm(a, axis=1, keepdims=True), 1e-12), b / np.maximum(np.linalg.norm(b, axis=1, keepdims=True), 1e-12)
    similarity = b @ a.T
    return labels[np.argsort(-similarity, axis=1, kind="stable")[:, :k]].mean(axis=1) > 0.5
