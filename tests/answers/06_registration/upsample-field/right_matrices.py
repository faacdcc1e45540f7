def upsample_field(u: torch.Tensor, factors: tuple[int, ...]) -> torch.Tensor:
    d = u.ndim - 2
    if len(factors) != d or min(factors) < 1:
        raise ValueError("one factor of at least 1 an axis")
    for j, f in enumerate(factors):
        n = u.shape[2 + j]
        place = ((torch.arange(n * f) + 0.5) / f - 0.5).clamp(0, n - 1)
        weights = (1 - (place[:, None] - torch.arange(n)[None]).abs()).clamp(min=0).to(u.dtype)
        u = torch.movedim(torch.tensordot(u, weights, dims=([2 + j], [1])), -1, 2 + j)
    return torch.stack([u[:, j] * f for j, f in enumerate(factors)], 1)
