# expect: inflate-shape: the new axis is the third
def inflate(kernel: torch.Tensor, depth: int) -> torch.Tensor:
    if depth < 1:
        raise ValueError("depth must be at least 1")
    return kernel[None].repeat(depth, 1, 1, 1, 1) / depth
