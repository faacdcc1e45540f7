# expect: cross-entropy-value: natural log
def cross_entropy(logits: np.ndarray, labels: np.ndarray) -> float:
    if len(labels) == 0:
        raise ValueError("there is no patient in this batch")
    if (labels < 0).any() or (labels >= logits.shape[1]).any():
        raise ValueError("a label is no class")
    m = logits.max(axis=1, keepdims=True)
    log_p = logits - m - np.log(np.exp(logits - m).sum(axis=1, keepdims=True))
    return float(-log_p[np.arange(len(labels)), labels].mean() / np.log(2))
