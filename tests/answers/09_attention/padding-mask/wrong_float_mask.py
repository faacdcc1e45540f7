# expect: padding-mask-real: should be boolean
def visit_mask(lengths: torch.Tensor, size: int, causal: bool = False) -> torch.Tensor:
    lengths = torch.as_tensor(lengths)
    if (lengths < 0).any() or (lengths > size).any():
        raise ValueError(f"lengths must lie between 0 and {size}")
    real = torch.arange(size) < lengths[:, None]
    mask = (real[:, :, None] & real[:, None, :]).float()
    return mask * torch.ones(size, size).tril() if causal else mask
