def smooth_field(shape: tuple[int, ...], amplitude: float, smoothness: float, spacing: tuple[float, ...], seed: int) -> np.ndarray:
    if amplitude < 0 or smoothness <= 0 or min(spacing) <= 0:
        raise ValueError("no such field")
    generator = torch.Generator().manual_seed(seed)
    u = torch.randn(len(shape), *shape, generator=generator, dtype=torch.float64)
    for axis in range(len(shape)):
        n, sigma = shape[axis], smoothness / spacing[axis]
        place = torch.arange(n, dtype=torch.float64)
        kernel = torch.exp(-((place[:, None] - place[None]) ** 2) / (2 * sigma**2))
        u = torch.movedim(torch.tensordot(u, kernel, dims=([axis + 1], [0])), -1, axis + 1)
    return u * amplitude / u.square().sum(0).sqrt().max()
