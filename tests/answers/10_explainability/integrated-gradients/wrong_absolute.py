# expect: integrated-gradients-linear: shares have signs
def integrated_gradients(score, x: torch.Tensor, baseline: torch.Tensor, steps: int) -> torch.Tensor:
    if x.shape != baseline.shape:
        raise ValueError(f"image {tuple(x.shape)} and baseline {tuple(baseline.shape)} differ in shape")
    if steps < 1:
        raise ValueError("at least one step is needed")
    alpha = (torch.arange(steps, dtype=x.dtype) + 0.5) / steps
    path = (baseline + alpha[:, None, None] * (x - baseline)).detach().requires_grad_(True)
    gradient = torch.autograd.grad(score(path).sum(), path)[0]
    return ((x - baseline) * gradient.mean(0)).abs()
