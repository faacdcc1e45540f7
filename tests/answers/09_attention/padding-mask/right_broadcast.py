def visit_mask(lengths: torch.Tensor, size: int, causal: bool = False) -> torch.Tensor:
    n = torch.as_tensor(lengths)[:, None, None]
    if bool(((n < 0) | (n > size)).any()):
        raise ValueError("lengths out of range")
    i, j = torch.arange(size)[None, :, None], torch.arange(size)[None, None, :]
    seen = (torch.maximum(i, j) < n)
    if causal:
        seen = seen & (j <= i)
    return seen
