# expect: cox-loss-stable: out of each risk set
def cox_loss(log_risk, time, event):
    if log_risk.shape != time.shape or time.shape != event.shape:
        raise ValueError("shapes")
    died = event.bool()
    if not died.any():
        raise ValueError("nobody died")
    inside = time[None, :] >= time[:, None]
    m = torch.where(inside, log_risk[None, :], torch.tensor(-torch.inf, dtype=log_risk.dtype))
    return -(log_risk - (log_risk.max() + torch.log(torch.exp(m - log_risk.max()).sum(1))))[died].mean()
