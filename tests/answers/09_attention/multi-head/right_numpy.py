def multi_head(x: torch.Tensor, in_weight: torch.Tensor, in_bias: torch.Tensor, out_weight: torch.Tensor, out_bias: torch.Tensor, heads: int) -> tuple:
    x, wi, bi, wo, bo = (t.detach().numpy().astype(float) for t in (x, in_weight, in_bias, out_weight, out_bias))
    b, n, d = x.shape
    if d % heads:
        raise ValueError("heads must divide the width")
    q, k, v = np.split(x @ wi.T + bi, 3, axis=-1)
    q, k, v = (np.stack(np.split(t, heads, axis=-1), 1) for t in (q, k, v))
    s = q @ np.swapaxes(k, -1, -2) / np.sqrt(d // heads)
    a = np.exp(s - s.max(-1, keepdims=True))
    a /= a.sum(-1, keepdims=True)
    return np.concatenate(list(np.moveaxis(a @ v, 1, 0)), -1) @ wo.T + bo, a
