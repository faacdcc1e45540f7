# expect: gated-fusion-mask: before the softmax
def gated_fusion(h: torch.Tensor, score: torch.Tensor, present: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Weighted sum of a patient's modalities; the weights are a softmax over those that are there."""
    weights = score.softmax(dim=1) * present
    kept = torch.where(present[..., None], h, torch.zeros_like(h))
    return (weights[..., None] * kept).sum(1), weights
