def prototype_similarity(z, p, eps=1e-4):
    if z.shape[1] != p.shape[1]:
        raise ValueError("D differs")
    d2 = ((z[:, None] - p[None, :, :, None, None]) ** 2).sum(2)
    s = torch.log((d2 + 1) / (d2 + eps)).flatten(2)
    value, index = s.max(dim=2)
    W = z.shape[3]
    return value, torch.stack([index // W, index % W], dim=-1)
