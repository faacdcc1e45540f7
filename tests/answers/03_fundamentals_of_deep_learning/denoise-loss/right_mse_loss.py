def denoising_loss(model: torch.nn.Module, clean: torch.Tensor, noise: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    if not bool(mask.any()):
        raise ValueError("empty mask")
    return torch.nn.functional.mse_loss(model(clean + noise)[mask], clean[mask])
