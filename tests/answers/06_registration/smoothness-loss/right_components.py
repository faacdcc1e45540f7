def smoothness_loss(moved: torch.Tensor, u: torch.Tensor, spacing: tuple[float, ...]) -> torch.Tensor:
    d = u.ndim - 2
    if u.shape[1] != d or len(spacing) != d:
        raise ValueError("components, axes and spacing don't fit")
    return sum(torch.diff(u[:, i], dim=1 + j).div(spacing[j]).pow(2).mean() for i in range(d) for j in range(d))
