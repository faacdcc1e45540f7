# expect: fedprox-pull: twice as hard
def proximal_step(weights: list[torch.Tensor], gradients: list[torch.Tensor], start: list[torch.Tensor], mu: float, rate: float) -> list[torch.Tensor]:
    if mu < 0:
        raise ValueError(f"mu must be at least 0, not {mu}: a negative one pushes hospitals apart")
    return [w - rate * (g + 2 * mu * (w - s)) for w, g, s in zip(weights, gradients, start, strict=True)]
