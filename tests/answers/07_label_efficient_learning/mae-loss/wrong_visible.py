# expect: mae-loss-hidden: visible patches: those can be copied
def mae_loss(prediction: torch.Tensor, target: torch.Tensor, hidden: torch.Tensor) -> torch.Tensor:
    if not hidden.any():
        raise ValueError("no patch is hidden: there is nothing to guess")
    return ((prediction - target) ** 2)[~hidden].mean()
