# expect: smoothness-loss-spacing: divide by the spacing
def smoothness_loss(moved: torch.Tensor, u: torch.Tensor, spacing: tuple[float, ...]) -> torch.Tensor:
    d = u.ndim - 2
    if u.shape[1] != d or len(spacing) != d:
        raise ValueError("components, axes and spacing don't fit")
    return sum((u.diff(dim=2 + j)).square().sum(dim=1).mean() for j in range(d))
