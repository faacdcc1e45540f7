# expect: rollout-layer: average the heads
def attention_rollout(attentions: np.ndarray) -> np.ndarray:
    attentions = np.asarray(attentions, dtype=float)
    n = attentions.shape[-1]
    total = np.eye(n)
    for layer in attentions.max(axis=1):
        step = (layer + np.eye(n)) / 2
        total = step / step.sum(axis=1, keepdims=True) @ total
    return total
