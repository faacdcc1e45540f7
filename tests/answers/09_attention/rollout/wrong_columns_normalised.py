# expect: rollout-layer: token 0 keeps half
def attention_rollout(attentions: np.ndarray) -> np.ndarray:
    attentions = np.asarray(attentions, dtype=float)
    n = attentions.shape[-1]
    total = np.eye(n)
    for layer in attentions.mean(axis=1):
        step = (layer + np.eye(n)) / 2
        total = step / step.sum(axis=0, keepdims=True) @ total
    return total
