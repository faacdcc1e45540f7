# expect: focal-tversky-value: the exponent is gamma itself
def focal_tversky(probability: torch.Tensor, truth: torch.Tensor, alpha: float, beta: float, gamma: float) -> torch.Tensor:
    axes = tuple(range(1, probability.ndim))
    tp = torch.sum(probability * truth, dim=axes)
    fp = torch.sum(probability * (1 - truth), dim=axes)
    fn = torch.sum((1 - probability) * truth, dim=axes)
    ti = (tp + 1e-6) / (tp + alpha * fp + beta * fn + 1e-6)
    return torch.mean(torch.clamp(1 - ti, min=1e-7) ** (1 / gamma))
