# expect: inflate-shape, inflate-edges: slices of the kernel differ
def inflate(kernel: torch.Tensor, depth: int) -> torch.Tensor:
    if depth < 1:
        raise ValueError("depth must be at least 1")
    out = torch.zeros(*kernel.shape[:2], depth, *kernel.shape[2:])
    out[:, :, depth // 2] = kernel
    return out
