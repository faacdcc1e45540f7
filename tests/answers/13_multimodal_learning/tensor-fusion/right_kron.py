def tensor_fusion(vectors: list[torch.Tensor]) -> torch.Tensor:
    """Outer product of all modalities with appended ones (Zadeh and others, EMNLP 2017)."""
    if not vectors or any(len(v) != len(vectors[0]) for v in vectors):
        raise ValueError("the same patients in each modality, please")
    rows = []
    for patient in zip(*vectors, strict=True):
        row = torch.ones(1, dtype=vectors[0].dtype)
        for v in patient:
            row = torch.kron(row, torch.cat([v, torch.ones(1, dtype=v.dtype)]))
        rows.append(row)
    return torch.stack(rows)
