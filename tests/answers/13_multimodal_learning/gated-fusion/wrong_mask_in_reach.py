# expect: gated-fusion-mask: large score still counts
def gated_fusion(h, score, present):
    w = torch.softmax(score.masked_fill(~present, -1e4), dim=1)
    w = w * present
    return (w[..., None] * torch.where(present[..., None], h, 0)).sum(1), w
