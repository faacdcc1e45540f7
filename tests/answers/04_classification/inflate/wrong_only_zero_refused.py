# expect: inflate-edges: a negative depth should raise ValueError
def inflate(kernel: torch.Tensor, depth: int) -> torch.Tensor:
    if depth == 0:
        raise ValueError("depth must not be 0")
    return kernel[:, :, None].repeat(1, 1, max(depth, 1), 1, 1) / depth
