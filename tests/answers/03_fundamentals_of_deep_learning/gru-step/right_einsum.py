def gru_step(
    x: torch.Tensor, h: torch.Tensor, weight_ih: torch.Tensor, weight_hh: torch.Tensor, bias_ih: torch.Tensor, bias_hh: torch.Tensor
) -> torch.Tensor:
    H = h.shape[1]
    parts = [torch.einsum("bf,gf->bg", x, weight_ih[k * H : (k + 1) * H]) + bias_ih[k * H : (k + 1) * H] for k in range(3)]
    kept = [torch.einsum("bh,gh->bg", h, weight_hh[k * H : (k + 1) * H]) + bias_hh[k * H : (k + 1) * H] for k in range(3)]
    r, z = 1 / (1 + torch.exp(-(parts[0] + kept[0]))), 1 / (1 + torch.exp(-(parts[1] + kept[1])))
    n = torch.tanh(parts[2] + r * kept[2])
    return n + z * (h - n)
