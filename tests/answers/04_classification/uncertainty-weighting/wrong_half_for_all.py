# expect: uncertainty-weighting-value, uncertainty-weighting-pull, uncertainty-weighting-balance: the half belongs to regressions only
def uncertainty_weighted(losses: torch.Tensor, log_variances: torch.Tensor, regression: torch.Tensor) -> torch.Tensor:
    return 0.5 * (torch.exp(-log_variances) * losses + log_variances).sum()
