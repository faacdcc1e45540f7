# expect: tensor-fusion-bad: raise a ValueError
def tensor_fusion(vectors: list[torch.Tensor]) -> torch.Tensor:
    """Outer product of all modalities with appended ones (Zadeh and others, EMNLP 2017)."""
    product = vectors[0].new_ones(len(vectors[0]), 1)
    for v in vectors:
        longer = torch.cat([v, v.new_ones(len(v), 1)], dim=1)
        product = (product[:, :, None] * longer[:, None, :]).flatten(1)
    return product
