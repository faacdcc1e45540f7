def cox_loss(log_risk: torch.Tensor, time: torch.Tensor, event: torch.Tensor) -> torch.Tensor:
    if not log_risk.shape == time.shape == event.shape:
        raise ValueError("one shape is needed")
    died = event.bool()
    if not died.any():
        raise ValueError("nobody died")
    order = torch.argsort(time, descending=True)
    eta, months, dead = log_risk[order], time[order], died[order]
    grown = torch.logcumsumexp(eta, dim=0)
    last = torch.searchsorted(-months, -months, right=True) - 1
    return (grown[last] - eta)[dead].sum() / dead.sum()
