def multi_head(x: torch.Tensor, in_weight: torch.Tensor, in_bias: torch.Tensor, out_weight: torch.Tensor, out_bias: torch.Tensor, heads: int) -> tuple:
    d = x.shape[-1]
    width, rest = divmod(d, heads)
    if rest:
        raise ValueError("heads must divide the width")
    qkv = torch.nn.functional.linear(x, in_weight, in_bias)
    outs, maps = [], []
    for i in range(heads):
        q, k, v = (qkv[..., part * d + i * width : part * d + (i + 1) * width] for part in range(3))
        a = torch.softmax(torch.bmm(q, k.mT) / np.sqrt(width), -1)
        outs.append(a @ v)
        maps.append(a)
    return torch.nn.functional.linear(torch.cat(outs, -1), out_weight, out_bias), torch.stack(maps, 1)
