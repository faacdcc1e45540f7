# expect: mae-loss-hidden: you divide by all four
def mae_loss(prediction: torch.Tensor, target: torch.Tensor, hidden: torch.Tensor) -> torch.Tensor:
    if not hidden.any():
        raise ValueError("no patch is hidden: there is nothing to guess")
    return (((prediction - target) ** 2) * hidden[:, :, None]).mean()
