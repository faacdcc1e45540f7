def cox_loss(log_risk, time, event):
    if log_risk.shape != time.shape or time.shape != event.shape:
        raise ValueError("shapes")
    log_risk, time = log_risk.float(), time.float()
    died = event.bool()
    if not died.any():
        raise ValueError("nobody died")
    inside = time[None, :] >= time[:, None]
    m = torch.where(inside, log_risk[None, :], torch.tensor(-torch.inf, dtype=log_risk.dtype))
    return -(log_risk - torch.logsumexp(m, 1))[died].mean()
