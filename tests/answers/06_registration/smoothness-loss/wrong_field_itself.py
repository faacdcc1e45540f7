# expect: smoothness-loss-free: not the field
def smoothness_loss(moved: torch.Tensor, u: torch.Tensor, spacing: tuple[float, ...]) -> torch.Tensor:
    d = u.ndim - 2
    if u.shape[1] != d or len(spacing) != d:
        raise ValueError("components, axes and spacing don't fit")
    return u.square().sum(dim=1).mean()
