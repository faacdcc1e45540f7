# expect: denoise-loss-mask, denoise-loss-gradient: the mask has no effect
def denoising_loss(model: torch.nn.Module, clean: torch.Tensor, noise: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    if not mask.any():
        raise ValueError("the mask is empty: no pixel shows the patient")
    restored = model(clean + noise)
    return (restored - clean).pow(2).mean()
