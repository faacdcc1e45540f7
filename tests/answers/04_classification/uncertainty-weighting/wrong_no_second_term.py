# expect: uncertainty-weighting-value, uncertainty-weighting-balance: the second term s / 2 is missing
def uncertainty_weighted(losses: torch.Tensor, log_variances: torch.Tensor, regression: torch.Tensor) -> torch.Tensor:
    factor = torch.where(regression, 0.5, 1.0)
    return (factor * torch.exp(-log_variances) * losses).sum()
