# expect: mae-loss-hidden: with other numbers hidden
def mae_loss(prediction: torch.Tensor, target: torch.Tensor, hidden: torch.Tensor) -> torch.Tensor:
    if not hidden.any():
        raise ValueError("no patch is hidden: there is nothing to guess")
    error = ((prediction - target) ** 2).mean(-1) * hidden
    return (error.sum(1) / hidden.sum(1).clamp(min=1)).mean()
