# expect: prototype-similarity-value: the closest place has d^2 = 1
def prototype_similarity(z, p, eps=1e-4):
    if z.shape[1] != p.shape[1]:
        raise ValueError("D differs")
    d2 = ((z[:, None] - p[None, :, :, None, None]) ** 2).sum(2)
    value, index = torch.log(1 + 1 / (d2 + eps)).flatten(2).max(dim=2)
    W = z.shape[3]
    return value, torch.stack([index // W, index % W], dim=-1)
