def inflate(kernel: torch.Tensor, depth: int) -> torch.Tensor:
    if depth < 1:
        raise ValueError("depth must be at least 1")
    return torch.stack([kernel / depth] * depth, dim=2)
