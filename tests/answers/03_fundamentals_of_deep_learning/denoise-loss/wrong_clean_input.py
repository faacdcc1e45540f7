# expect: denoise-loss-target, denoise-loss-mask, denoise-loss-gradient: the model should see the noisy images
def denoising_loss(model: torch.nn.Module, clean: torch.Tensor, noise: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    if not mask.any():
        raise ValueError("the mask is empty: no pixel shows the patient")
    restored = model(clean)
    return (restored - clean)[mask].pow(2).mean()
