def denoising_loss(model: torch.nn.Module, clean: torch.Tensor, noise: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    if mask.sum() == 0:
        raise ValueError("empty mask")
    weight = mask.to(clean.dtype)
    return (weight * (model(noise + clean) - clean).square()).sum() / weight.sum()
