def uncertainty_weighted(losses: torch.Tensor, log_variances: torch.Tensor, regression: torch.Tensor) -> torch.Tensor:
    sigma = torch.exp(0.5 * log_variances)
    total = losses.new_zeros(())
    for loss, s, is_regression in zip(losses, sigma, regression, strict=True):
        total = total + loss / s**2 / (2 if is_regression else 1) + torch.log(s)
    return total
