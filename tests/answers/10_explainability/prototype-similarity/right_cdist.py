def prototype_similarity(z, p, eps=1e-4):
    if z.shape[1] != p.shape[1]:
        raise ValueError("D")
    B, D, H, W = z.shape
    places = z.permute(0, 2, 3, 1).reshape(B, H * W, D)
    d2 = (places[:, :, None] - p[None, None]).pow(2).sum(3)
    best, where = d2.min(dim=1)
    return torch.log1p(best) - torch.log(best + eps), torch.stack((torch.div(where, W, rounding_mode="floor"), where.remainder(W)), dim=-1)
