# expect: inflate-edges, inflate-constant: in place
def inflate(kernel: torch.Tensor, depth: int) -> torch.Tensor:
    if depth < 1:
        raise ValueError("depth must be at least 1")
    kernel /= depth
    return kernel[:, :, None].repeat(1, 1, depth, 1, 1)
