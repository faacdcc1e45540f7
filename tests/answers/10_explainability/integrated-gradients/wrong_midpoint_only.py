# expect: integrated-gradients-path: with 4 steps
def integrated_gradients(score, x: torch.Tensor, baseline: torch.Tensor, steps: int) -> torch.Tensor:
    if x.shape != baseline.shape:
        raise ValueError(f"image {tuple(x.shape)} and baseline {tuple(baseline.shape)} differ in shape")
    if steps < 1:
        raise ValueError("at least one step is needed")
    alpha = torch.full((1,), 0.5, dtype=x.dtype)
    path = (baseline + alpha[:, None, None] * (x - baseline)).detach().requires_grad_(True)
    gradient = torch.autograd.grad(score(path).sum(), path)[0]
    return (x - baseline) * gradient.mean(0)
