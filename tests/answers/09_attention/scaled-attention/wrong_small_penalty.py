# expect: scaled-attention-mask: out of the race *before* the softmax
def scaled_attention(q, k, v, mask=None):
    s = q @ k.transpose(-2, -1) / q.shape[-1] ** 0.5
    if mask is not None: s = s - 1e2 * (~mask)    # too small for large scores
    a = s.softmax(-1)
    if mask is not None: a = a * mask
    return a @ v, a
