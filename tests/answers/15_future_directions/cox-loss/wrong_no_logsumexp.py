# expect: cox-loss-stable: overflows
def cox_loss(log_risk: torch.Tensor, time: torch.Tensor, event: torch.Tensor) -> torch.Tensor:
    if not log_risk.shape == time.shape == event.shape:
        raise ValueError("one shape is needed")
    died = event.bool()
    if not died.any():
        raise ValueError("nobody died")
    at_risk = time[None, :] >= time[:, None]
    whole = (at_risk * torch.exp(log_risk)[None, :]).sum(1).log()
    return (whole - log_risk)[died].mean()
