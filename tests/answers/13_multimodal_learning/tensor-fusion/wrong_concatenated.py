# expect: tensor-fusion-size: that is concatenation
def tensor_fusion(vectors: list[torch.Tensor]) -> torch.Tensor:
    """Outer product of all modalities with appended ones (Zadeh and others, EMNLP 2017)."""
    if not vectors or len({len(v) for v in vectors}) != 1:
        raise ValueError("patients differ")
    return torch.cat([torch.cat([v, v.new_ones(len(v), 1)], dim=1) for v in vectors], dim=1)
