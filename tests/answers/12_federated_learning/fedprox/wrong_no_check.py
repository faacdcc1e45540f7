# expect: fedprox-plain: raise a ValueError
def proximal_step(weights: list[torch.Tensor], gradients: list[torch.Tensor], start: list[torch.Tensor], mu: float, rate: float) -> list[torch.Tensor]:
    return [w - rate * (g + mu * (w - s)) for w, g, s in zip(weights, gradients, start, strict=True)]
