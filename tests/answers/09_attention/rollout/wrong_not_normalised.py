# expect: rollout-rows: should sum to 1
def attention_rollout(attentions: np.ndarray) -> np.ndarray:
    attentions = np.asarray(attentions, dtype=float)
    n = attentions.shape[-1]
    total = np.eye(n)
    for layer in attentions.mean(axis=1):
        step = (layer + np.eye(n)) / 2
        total = step @ total
    return total
