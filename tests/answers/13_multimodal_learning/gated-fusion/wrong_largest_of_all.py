# expect: gated-fusion-mask: large score still counts
def gated_fusion(h, score, present):
    e = torch.exp(score - score.max(1, keepdim=True).values) * present
    w = e / e.sum(1, keepdim=True).clamp(min=1e-12)
    return (w[..., None] * torch.where(present[..., None], h, 0)).sum(1), w
