# expect: cross-entropy-stable: its log infinite
def cross_entropy(logits: np.ndarray, labels: np.ndarray) -> float:
    if len(labels) == 0:
        raise ValueError("there is no patient in this batch")
    if (labels < 0).any() or (labels >= logits.shape[1]).any():
        raise ValueError("a label is no class")
    m = logits.max(axis=1, keepdims=True)
    p = np.exp(logits - m)
    log_p = np.log(p / p.sum(axis=1, keepdims=True))
    return float(-log_p[np.arange(len(labels)), labels].mean())
