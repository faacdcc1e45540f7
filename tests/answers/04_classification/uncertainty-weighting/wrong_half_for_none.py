# expect: uncertainty-weighting-pull, uncertainty-weighting-value: the weights of two regressions
def uncertainty_weighted(losses: torch.Tensor, log_variances: torch.Tensor, regression: torch.Tensor) -> torch.Tensor:
    return (torch.exp(-log_variances) * losses + 0.5 * log_variances).sum()
