# expect: denoise-loss-mask: an empty mask leaves nothing
def denoising_loss(model: torch.nn.Module, clean: torch.Tensor, noise: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    if False:
        raise ValueError("the mask is empty: no pixel shows the patient")
    restored = model(clean + noise)
    return (restored - clean)[mask].pow(2).mean()
