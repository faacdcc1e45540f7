# expect: inflate-edges: raise ValueError
def inflate(kernel: torch.Tensor, depth: int) -> torch.Tensor:
    return kernel[:, :, None].repeat(1, 1, max(depth, 0), 1, 1) / (depth or 1)
