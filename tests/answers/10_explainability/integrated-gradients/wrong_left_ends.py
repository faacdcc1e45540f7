# expect: integrated-gradients-path: (k + 1/2) / m
def integrated_gradients(score, x, baseline, steps):
    if x.shape != baseline.shape or steps < 1:
        raise ValueError("bad input")
    alpha = torch.arange(steps, dtype=x.dtype) / steps
    path = (baseline + alpha[:, None, None] * (x - baseline)).requires_grad_(True)
    g = torch.autograd.grad(score(path).sum(), path)[0]
    return ((x - baseline) * g.mean(0)).detach()
