# expect: uncertainty-weighting-value: costs 0.6, not
def uncertainty_weighted(losses: torch.Tensor, log_variances: torch.Tensor, regression: torch.Tensor) -> torch.Tensor:
    factor = torch.where(regression, 0.5, 1.0)
    return (factor * losses / (log_variances + 1e-6) + 0.5 * torch.log(log_variances.abs() + 1e-6)).sum()
