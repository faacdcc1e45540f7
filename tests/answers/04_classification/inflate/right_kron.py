def inflate(kernel: torch.Tensor, depth: int) -> torch.Tensor:
    if depth < 1:
        raise ValueError("depth must be at least 1")
    return torch.einsum("oiyx,d->oidyx", kernel, torch.full((depth,), 1 / depth, dtype=kernel.dtype))
