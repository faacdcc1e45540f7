# expect: tensor-fusion-size: products of pairs only
def tensor_fusion(vectors: list[torch.Tensor]) -> torch.Tensor:
    """Outer product of all modalities with appended ones (Zadeh and others, EMNLP 2017)."""
    if not vectors or len({len(v) for v in vectors}) != 1:
        raise ValueError("patients differ")
    pairs = [(vectors[i][:, :, None] * vectors[j][:, None, :]).flatten(1) for i in range(len(vectors)) for j in range(i)]
    return torch.cat(pairs, dim=1)
