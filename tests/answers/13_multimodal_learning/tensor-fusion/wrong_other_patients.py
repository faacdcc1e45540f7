# expect: tensor-fusion-terms: another patient's labs
def tensor_fusion(vectors: list[torch.Tensor]) -> torch.Tensor:
    """Outer product of all modalities with appended ones (Zadeh and others, EMNLP 2017)."""
    if not vectors or len({len(v) for v in vectors}) != 1:
        raise ValueError("give at least one modality, all of the same patients")
    product = vectors[0].new_ones(len(vectors[0]), 1)
    for number, v in enumerate(vectors):
        v = v.roll(number, 0)
        longer = torch.cat([v, v.new_ones(len(v), 1)], dim=1)
        product = (product[:, :, None] * longer[:, None, :]).flatten(1)
    return product
