# expect: rollout-rows: add the identity first
def attention_rollout(attentions: np.ndarray) -> np.ndarray:
    attentions = np.asarray(attentions, dtype=float)
    n = attentions.shape[-1]
    total = np.eye(n)
    for layer in attentions.mean(axis=1):
        step = (layer / layer.sum(axis=1, keepdims=True) + np.eye(n)) / 2
        total = step / step.sum(axis=1, keepdims=True) @ total
    return total
