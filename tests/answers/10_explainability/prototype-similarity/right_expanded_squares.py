def prototype_similarity(z, p, eps=1e-4):
    # as in PartNet of the lecture: expanded squares
    if z.shape[1] != p.shape[1]:
        raise ValueError("D differs")
    f = z.flatten(2)
    d2 = ((f**2).sum(1)[:, None] - 2 * p @ f + (p**2).sum(1)[None, :, None]).clamp(min=0)
    near, index = d2.min(2)
    W = z.shape[3]
    return torch.log((near + 1) / (near + eps)), torch.stack([index // W, index % W], dim=-1)
