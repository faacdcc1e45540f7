# expect: smoothness-loss-gradient: no gradient reaches the field
def smoothness_loss(moved, u, spacing):
    d = u.ndim - 2
    if u.shape[1] != d or len(spacing) != d: raise ValueError("axes")
    return torch.tensor(sum(((u.diff(dim=2 + j) / spacing[j]) ** 2).sum(dim=1).mean() for j in range(d)), requires_grad=True)
