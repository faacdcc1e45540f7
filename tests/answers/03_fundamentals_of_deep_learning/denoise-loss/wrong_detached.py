# expect: denoise-loss-gradient: connected to the model
def denoising_loss(model: torch.nn.Module, clean: torch.Tensor, noise: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    if not mask.any():
        raise ValueError("the mask is empty: no pixel shows the patient")
    restored = model(clean + noise).detach()
    return (restored - clean)[mask].pow(2).mean()
