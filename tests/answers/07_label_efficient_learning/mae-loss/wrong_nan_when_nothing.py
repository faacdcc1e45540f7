# expect: mae-loss-nothing: raise a ValueError
def mae_loss(prediction: torch.Tensor, target: torch.Tensor, hidden: torch.Tensor) -> torch.Tensor:
    return ((prediction - target) ** 2)[hidden].mean()
