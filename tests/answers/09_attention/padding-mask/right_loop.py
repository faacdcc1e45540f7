def visit_mask(lengths: torch.Tensor, size: int, causal: bool = False) -> torch.Tensor:
    mask = torch.zeros(len(lengths), size, size, dtype=torch.bool)
    for b, n in enumerate(lengths):
        n = int(n)
        if not 0 <= n <= size:
            raise ValueError("no such length")
        mask[b, :n, :n] = True
        if causal:
            mask[b] = torch.tril(mask[b])
    return mask
