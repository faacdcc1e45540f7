def mae_loss(prediction: torch.Tensor, target: torch.Tensor, hidden: torch.Tensor) -> torch.Tensor:
    weight = hidden.to(prediction.dtype)
    if weight.sum() == 0:
        raise ValueError("nothing is hidden")
    return (((prediction - target) ** 2).mean(-1) * weight).sum() / weight.sum()
