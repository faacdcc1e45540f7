# expect: padding-mask-real: padding in front
def visit_mask(lengths, size, causal=False):
    if (lengths < 0).any() or (lengths > size).any(): raise ValueError("length")
    real = torch.arange(size) >= size - lengths[:, None]     # padding in front
    m = real[:, :, None] & real[:, None]
    return m & torch.ones(size, size).tril().bool() if causal else m
