def clip_and_sum(per_sample: list[np.ndarray], clip: float) -> list[np.ndarray]:
    if not clip > 0 or not all(np.isfinite(g).all() for g in per_sample):
        raise ValueError("clip or gradient")
    tensors = [torch.tensor(g, dtype=torch.float64) for g in per_sample]
    norm = torch.stack([g.flatten(1).norm(dim=1) if g.numel() else torch.zeros(len(g), dtype=torch.float64) for g in tensors]).norm(dim=0)
    factor = (clip / norm.clamp(min=1e-30)).clamp(max=1.0)
    return [torch.tensordot(factor, g, dims=1).numpy() for g in tensors]
