# expect: cox-loss-ties: tied deaths share one risk set
def cox_loss(log_risk: torch.Tensor, time: torch.Tensor, event: torch.Tensor) -> torch.Tensor:
    if not log_risk.shape == time.shape == event.shape:
        raise ValueError("one shape is needed")
    died = event.bool()
    if not died.any():
        raise ValueError("nobody died")
    order = torch.argsort(time, descending=True, stable=True)
    eta, dead = log_risk[order], died[order]
    return (torch.logcumsumexp(eta, dim=0) - eta)[dead].mean()
