def integrated_gradients(score, x: torch.Tensor, baseline: torch.Tensor, steps: int) -> torch.Tensor:
    if x.shape != baseline.shape or steps < 1:
        raise ValueError("bad input")
    total = torch.zeros_like(x)
    for k in range(steps):
        z = (baseline + (k + 0.5) / steps * (x - baseline)).detach().requires_grad_()
        score(z[None])[0].backward()
        total += z.grad / steps
    return total * (x - baseline)
