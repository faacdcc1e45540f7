def cox_loss(log_risk: torch.Tensor, time: torch.Tensor, event: torch.Tensor) -> torch.Tensor:
    if not log_risk.shape == time.shape == event.shape:
        raise ValueError("one shape is needed")
    died = event.bool()
    if not died.any():
        raise ValueError("nobody died")
    terms = []
    for i in torch.nonzero(died)[:, 0].tolist():
        others = log_risk[time >= time[i]]
        top = others.max().detach()
        terms.append(top + (others - top).exp().sum().log() - log_risk[i])
    return torch.stack(terms).mean()
