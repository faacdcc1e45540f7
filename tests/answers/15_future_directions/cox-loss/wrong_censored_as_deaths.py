# expect: cox-loss-censored: counted as a death
def cox_loss(log_risk: torch.Tensor, time: torch.Tensor, event: torch.Tensor) -> torch.Tensor:
    if not log_risk.shape == time.shape == event.shape:
        raise ValueError("one shape is needed")
    died = event.bool()
    if not died.any():
        raise ValueError("nobody died")
    at_risk = time[None, :] >= time[:, None]
    whole = torch.logsumexp(torch.where(at_risk, log_risk[None, :], -torch.inf), dim=1)
    return (whole - log_risk).mean()
