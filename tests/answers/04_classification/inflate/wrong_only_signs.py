# expect: inflate-shape, inflate-constant, inflate-edges: up to a positive factor
def inflate(kernel: torch.Tensor, depth: int) -> torch.Tensor:
    if depth < 1:
        raise ValueError("depth must be at least 1")
    return kernel.sign()[:, :, None].repeat(1, 1, depth, 1, 1) / depth
