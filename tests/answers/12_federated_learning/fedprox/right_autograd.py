def proximal_step(weights: list[torch.Tensor], gradients: list[torch.Tensor], start: list[torch.Tensor], mu: float, rate: float) -> list[torch.Tensor]:
    if mu < 0:
        raise ValueError("mu")
    out = []
    for w, g, s in zip(weights, gradients, start):
        x = w.clone().requires_grad_()
        loss = (x * g).sum() + mu / 2 * (x - s).square().sum()
        out.append((x - rate * torch.autograd.grad(loss, x)[0]).detach())
    return out
