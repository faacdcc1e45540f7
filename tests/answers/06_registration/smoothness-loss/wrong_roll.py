# expect: smoothness-loss-free: costs 0.5 squared
def smoothness_loss(moved: torch.Tensor, u: torch.Tensor, spacing: tuple[float, ...]) -> torch.Tensor:
    d = u.ndim - 2
    if u.shape[1] != d or len(spacing) != d:
        raise ValueError("components, axes and spacing don't fit")
    return sum(((u.roll(-1, 2 + j) - u) / spacing[j]).square().sum(dim=1).mean() for j in range(d))
