# expect: rollout-rows: add the identity first
def attention_rollout(attentions):
    A = attentions.mean(1)
    R = np.eye(A.shape[-1])
    for a in A: R = (0.5 * a + 0.5 * np.eye(len(a))) @ R
    return R / R.sum(1, keepdims=True)
