def few_shot(support: np.ndarray, labels: np.ndarray, queries: np.ndarray, k: int) -> np.ndarray:
    if not 0 < k <= len(support):
        raise ValueError("k must be between 1 and n")
    sd = support.std(0)
    keep = np.flatnonzero(support.max(0) > support.min(0))
    z = (support[:, keep] - support[:, keep].mean(0)) / sd[keep]
    answers = []
    for query in queries:
        q = (query[keep] - support[:, keep].mean(0)) / sd[keep]
        cosine = [float(x @ q / np.sqrt((x @ x) * (q @ q))) if x.any() and q.any() else 0.0 for x in z]
        order = sorted(range(len(z)), key=lambda i: -cosine[i])
        answers.append(sum(labels[i] for i in order[:k]) / k)
    return np.array(answers)
