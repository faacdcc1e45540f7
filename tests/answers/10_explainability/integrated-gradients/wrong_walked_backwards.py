# expect: integrated-gradients-complete: should add up to
def integrated_gradients(score, x, baseline, steps):
    if x.shape != baseline.shape or steps < 1:
        raise ValueError("bad input")
    alpha = (torch.arange(steps, dtype=x.dtype) + 0.5) / steps
    path = (x + alpha[:, None, None] * (baseline - x)).requires_grad_(True)
    g = torch.autograd.grad(score(path).sum(), path)[0]
    return ((baseline - x) * g.mean(0)).detach()
