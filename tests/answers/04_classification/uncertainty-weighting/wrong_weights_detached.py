# expect: uncertainty-weighting-balance: not 0
def uncertainty_weighted(losses: torch.Tensor, log_variances: torch.Tensor, regression: torch.Tensor) -> torch.Tensor:
    factor = torch.where(regression, 0.5, 1.0)
    return (factor * torch.exp(-log_variances.detach()) * losses + 0.5 * log_variances).sum()
