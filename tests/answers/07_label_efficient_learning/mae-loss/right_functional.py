def mae_loss(prediction: torch.Tensor, target: torch.Tensor, hidden: torch.Tensor) -> torch.Tensor:
    if int(hidden.sum()) == 0:
        raise ValueError("nothing is hidden")
    return torch.nn.functional.mse_loss(prediction[hidden], target[hidden])
