# expect: integrated-gradients-linear: its weight times
def integrated_gradients(score, x, baseline, steps):
    if x.shape != baseline.shape or steps < 1:
        raise ValueError("bad input")
    alpha = (torch.arange(steps, dtype=x.dtype) + 0.5) / steps
    path = (baseline + alpha[:, None, None] * (x - baseline)).requires_grad_(True)
    g = torch.autograd.grad(score(path).mean(), path)[0]
    return ((x - baseline) * g.mean(0)).detach()
