# expect: denoise-loss-mask: the mean over images
def denoising_loss(model: torch.nn.Module, clean: torch.Tensor, noise: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    if not mask.any():
        raise ValueError("the mask is empty: no pixel shows the patient")
    restored = model(clean + noise)
    return torch.stack([(r - c)[m].pow(2).mean() for r, c, m in zip(restored, clean, mask) if m.any()]).mean()
