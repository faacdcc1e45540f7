# expect: cross-entropy-value, cross-entropy-stable: softmax runs over the batch axis
def cross_entropy(logits: np.ndarray, labels: np.ndarray) -> float:
    if len(labels) == 0:
        raise ValueError("there is no patient in this batch")
    if (labels < 0).any() or (labels >= logits.shape[1]).any():
        raise ValueError("a label is no class")
    m = logits.max(axis=0, keepdims=True)
    log_p = logits - m - np.log(np.exp(logits - m).sum(axis=0, keepdims=True))
    return float(-log_p[np.arange(len(labels)), labels].mean())
