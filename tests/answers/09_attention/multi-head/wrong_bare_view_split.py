# expect: multi-head-output: mixed by a bare view
def multi_head(x: torch.Tensor, in_weight: torch.Tensor, in_bias: torch.Tensor, out_weight: torch.Tensor, out_bias: torch.Tensor, heads: int) -> tuple:
    b, n, d = x.shape
    if d % heads:
        raise ValueError(f"{heads} heads can't share a width of {d}")
    q, k, v = ((x @ w.T + bias).reshape(b, heads, n, d // heads) for w, bias in zip(in_weight.chunk(3), in_bias.chunk(3), strict=True))
    weights = (q @ k.transpose(-2, -1) / (d // heads) ** 0.5).softmax(dim=-1)
    return (weights @ v).transpose(1, 2).reshape(b, n, d) @ out_weight.T + out_bias, weights
