def multi_head(x: torch.Tensor, in_weight: torch.Tensor, in_bias: torch.Tensor, out_weight: torch.Tensor, out_bias: torch.Tensor, heads: int) -> tuple:
    b, n, d = x.shape
    if d // heads * heads != d:
        raise ValueError("heads must divide the width")
    q, k, v = torch.nn.functional.linear(x, in_weight, in_bias).view(b, n, 3, heads, d // heads).unbind(2)
    a = torch.einsum("bmhc,bnhc->bhmn", q, k).div((d / heads) ** 0.5).softmax(-1)
    return torch.einsum("bhmn,bnhc->bmhc", a, v).flatten(2) @ out_weight.mT + out_bias, a
