def inflate(kernel: torch.Tensor, depth: int) -> torch.Tensor:
    if depth < 1:
        raise ValueError("depth must be at least 1")
    out, inside, high, wide = kernel.shape
    return (kernel / depth).view(out, inside, 1, high, wide).expand(out, inside, depth, high, wide).contiguous()
