# expect: fedprox-plain: at the start of a round
def proximal_step(weights: list[torch.Tensor], gradients: list[torch.Tensor], start: list[torch.Tensor], mu: float, rate: float) -> list[torch.Tensor]:
    if mu < 0:
        raise ValueError("input")
    stepped = [w - rate * g for w, g in zip(weights, gradients)]
    return [w - rate * mu * (w - s) for w, s in zip(stepped, start)]
