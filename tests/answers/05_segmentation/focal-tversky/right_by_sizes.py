def focal_tversky(probability: torch.Tensor, truth: torch.Tensor, alpha: float, beta: float, gamma: float) -> torch.Tensor:
    losses = []
    for p, g in zip(probability, truth):
        tp = (p * g).sum()
        wrong = alpha * (p.sum() - tp) + beta * (g.sum() - tp)
        rest = (wrong / (tp + wrong + 1e-6)).clamp(min=1e-7)
        losses.append(torch.exp(gamma * torch.log(rest)))
    return torch.stack(losses).mean()
