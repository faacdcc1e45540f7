def gated_fusion(h: torch.Tensor, score: torch.Tensor, present: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Weighted sum of a patient's modalities; the weights are a softmax over those that are there."""
    top = score.masked_fill(~present, -torch.inf).amax(1, keepdim=True).clamp(min=-1e30)
    e = torch.exp((score - top).masked_fill(~present, -torch.inf))
    w = e / e.sum(1, keepdim=True).clamp(min=1e-30)
    return torch.einsum("bm,bmd->bd", w, h.masked_fill(~present[:, :, None], 0.0)), w
