def scaled_attention(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, mask: torch.Tensor | None = None) -> tuple[torch.Tensor, torch.Tensor]:
    scores = (q[:, :, None] * k[:, None]).sum(-1) * q.shape[-1] ** -0.5
    allowed = torch.ones_like(scores) if mask is None else mask.to(scores.dtype)
    scores = scores - (scores.detach() - (1 - allowed) * 1e9).amax(-1, keepdim=True)
    e = torch.exp(torch.where(allowed > 0, scores, torch.zeros_like(scores))) * allowed
    total = e.sum(-1, keepdim=True)
    weights = e / torch.where(total > 0, total, torch.ones_like(total))
    return weights @ v, weights
