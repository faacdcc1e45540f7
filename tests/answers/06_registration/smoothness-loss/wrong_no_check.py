# expect: smoothness-loss-sum: raise a ValueError
def smoothness_loss(moved: torch.Tensor, u: torch.Tensor, spacing: tuple[float, ...]) -> torch.Tensor:
    d = u.ndim - 2
    return sum((u.diff(dim=2 + j) / (list(spacing) + [1.0] * d)[j]).square().sum(dim=1).mean() for j in range(d))
