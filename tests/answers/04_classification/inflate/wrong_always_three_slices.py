# expect: inflate-shape, inflate-edges: expected (4, 2, 7, 3, 5)
def inflate(kernel: torch.Tensor, depth: int) -> torch.Tensor:
    if depth < 1:
        raise ValueError("depth must be at least 1")
    return kernel[:, :, None].repeat(1, 1, 3, 1, 1) / 3
