# expect: cox-loss-bad: raise a ValueError
def cox_loss(log_risk: torch.Tensor, time: torch.Tensor, event: torch.Tensor) -> torch.Tensor:
    died = event.bool()
    whole = torch.logsumexp(torch.where(time[None, :] >= time[:, None], log_risk[None, :], -torch.inf), dim=1)
    return (whole - log_risk)[died].mean()
