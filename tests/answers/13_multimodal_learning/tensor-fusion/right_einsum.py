def tensor_fusion(vectors: list[torch.Tensor]) -> torch.Tensor:
    """Outer product of all modalities with appended ones (Zadeh and others, EMNLP 2017)."""
    if len(vectors) == 0:
        raise ValueError("no modality")
    longer = [torch.nn.functional.pad(v, (0, 1), value=1.0) for v in vectors]
    if any(v.shape[0] != longer[0].shape[0] for v in longer):
        raise ValueError("different patients")
    out = longer[0]
    for v in longer[1:]:
        out = torch.einsum("bi,bj->bij", out, v).reshape(len(v), -1)
    return out
