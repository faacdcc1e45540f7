def proximal_step(weights: list[torch.Tensor], gradients: list[torch.Tensor], start: list[torch.Tensor], mu: float, rate: float) -> list[torch.Tensor]:
    if not mu >= 0:
        raise ValueError("mu must not be negative")
    keep = 1 - rate * mu
    return [keep * weights[i] + (1 - keep) * start[i] - rate * gradients[i] for i in range(len(weights))]
