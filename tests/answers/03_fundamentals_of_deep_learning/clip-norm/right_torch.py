def clip_by_norm(gradients: list, max_norm: float) -> tuple[list, float]:
    parameters = []
    for g in gradients:
        p = torch.zeros(np.shape(g) if g is not None else (1,), dtype=torch.float64, requires_grad=True)
        p.grad = None if g is None else torch.tensor(g, dtype=torch.float64)
        parameters.append(p)
    norm = torch.sqrt(sum((p.grad**2).sum() for p in parameters if p.grad is not None))
    if not torch.isfinite(norm):
        raise ValueError("the gradient is not finite")
    factor = max_norm / max(float(norm), max_norm)
    return [None if p.grad is None else p.grad * factor for p in parameters], float(norm)
