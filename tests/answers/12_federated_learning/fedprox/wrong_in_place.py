# expect: fedprox-plain: you changed the tensors
def proximal_step(weights: list[torch.Tensor], gradients: list[torch.Tensor], start: list[torch.Tensor], mu: float, rate: float) -> list[torch.Tensor]:
    if mu < 0:
        raise ValueError("mu is negative")
    for w, g, s in zip(weights, gradients, start, strict=True):
        w -= rate * (g + mu * (w - s))
    return weights
