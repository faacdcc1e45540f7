# expect: inflate-constant, inflate-edges: times as large
def inflate(kernel: torch.Tensor, depth: int) -> torch.Tensor:
    if depth < 1:
        raise ValueError("depth must be at least 1")
    return kernel[:, :, None].repeat(1, 1, depth, 1, 1) / (depth * kernel.shape[2] * kernel.shape[3])
