# expect: inflate-shape: expected (4, 2, 7, 3, 5)
def inflate(kernel: torch.Tensor, depth: int) -> torch.Tensor:
    if depth < 1:
        raise ValueError("depth must be at least 1")
    return kernel.repeat(1, depth, 1, 1) / depth
