# expect: smoothness-loss-gradient: the loss of a random field
def smoothness_loss(moved, u, spacing):
    d = u.ndim - 2
    if u.shape[1] != d or len(spacing) != d: raise ValueError("axes")
    g = torch.gradient(u, spacing=list(spacing), dim=tuple(range(2, u.ndim)))
    return sum((x ** 2).sum(dim=1).mean() for x in g)
