# expect: padding-mask-refused: raise a ValueError
def visit_mask(lengths: torch.Tensor, size: int, causal: bool = False) -> torch.Tensor:
    lengths = torch.as_tensor(lengths)
    real = torch.arange(size) < lengths[:, None]
    mask = real[:, :, None] & real[:, None, :]
    return mask & torch.ones(size, size, dtype=torch.bool).tril() if causal else mask
