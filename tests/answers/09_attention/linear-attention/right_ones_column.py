def linear_attention(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
    phi = [torch.where(x > 0, x + 1, x.clamp(max=0).exp()) for x in (q, k)]
    joined = torch.cat([v, torch.ones_like(v[..., :1])], -1)
    out = torch.bmm(phi[0], torch.bmm(phi[1].mT, joined))
    return out[..., :-1] / out[..., -1:]
