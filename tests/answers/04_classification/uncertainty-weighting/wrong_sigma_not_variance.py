# expect: uncertainty-weighting-value, uncertainty-weighting-pull: is s the logarithm of the variance
def uncertainty_weighted(losses: torch.Tensor, log_variances: torch.Tensor, regression: torch.Tensor) -> torch.Tensor:
    factor = torch.where(regression, 0.5, 1.0)
    return (factor * torch.exp(-2 * log_variances) * losses + log_variances).sum()
