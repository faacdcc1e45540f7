def smoothness_loss(moved: torch.Tensor, u: torch.Tensor, spacing: tuple[float, ...]) -> torch.Tensor:
    d = u.ndim - 2
    if u.shape[1] != d or len(spacing) != d:
        raise ValueError("components, axes and spacing don't fit")
    total = u.new_zeros(())
    for j in range(d):
        n = u.shape[2 + j]
        step = u.narrow(2 + j, 1, n - 1) - u.narrow(2 + j, 0, n - 1)
        total = total + (step**2).mean() * d / spacing[j] ** 2
    return total
