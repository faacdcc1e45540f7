# expect: smoothness-loss-spacing: a slope of 1/4
def smoothness_loss(moved: torch.Tensor, u: torch.Tensor, spacing: tuple[float, ...]) -> torch.Tensor:
    d = u.ndim - 2
    if u.shape[1] != d or len(spacing) != d:
        raise ValueError("components, axes and spacing don't fit")
    return sum((u[:, j].diff(dim=1 + j) / spacing[j]).square().mean() for j in range(d))
