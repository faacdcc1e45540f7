def integrated_gradients(score, x: torch.Tensor, baseline: torch.Tensor, steps: int) -> torch.Tensor:
    if tuple(x.shape) != tuple(baseline.shape):
        raise ValueError("shapes")
    if steps <= 0:
        raise ValueError("steps")
    ends = torch.linspace(0, 1, steps + 1, dtype=torch.float64)
    middle = ((ends[1:] + ends[:-1]) / 2).to(x.dtype)
    images = torch.stack([torch.lerp(baseline, x, float(m)) for m in middle]).requires_grad_()
    score(images).sum().backward()
    return (images.grad.sum(0) / steps * (x - baseline)).float()
