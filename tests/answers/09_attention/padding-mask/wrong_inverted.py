# expect: padding-mask-real: upside down
def visit_mask(lengths: torch.Tensor, size: int, causal: bool = False) -> torch.Tensor:
    lengths = torch.as_tensor(lengths)
    if (lengths < 0).any() or (lengths > size).any():
        raise ValueError(f"lengths must lie between 0 and {size}")
    real = torch.arange(size) < lengths[:, None]
    mask = real[:, :, None] & real[:, None, :]
    mask = ~mask
    return mask & torch.ones(size, size, dtype=torch.bool).tril() if causal else mask
