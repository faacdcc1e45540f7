# expect: scaled-attention-mask: out of the race *before* the softmax
def scaled_attention(q, k, v, mask=None):
    a = (q @ k.transpose(-2, -1) / q.shape[-1] ** 0.5).softmax(-1)
    if mask is not None:
        a = a * mask
        a = a / (a.sum(-1, keepdim=True) + 1e-9)     # fine until a forbidden score dominates
    return a @ v, a
