# expect: inflate-shape, inflate-edges: spread the 2-D kernel evenly
def inflate(kernel: torch.Tensor, depth: int) -> torch.Tensor:
    if depth < 1:
        raise ValueError("depth must be at least 1")
    share = 1 - (torch.arange(depth) - (depth - 1) / 2).abs() / depth
    return kernel[:, :, None] * (share / share.sum()).view(1, 1, depth, 1, 1)
