# expect: uncertainty-weighting-value, uncertainty-weighting-balance: the value is off
def uncertainty_weighted(losses: torch.Tensor, log_variances: torch.Tensor, regression: torch.Tensor) -> torch.Tensor:
    """Sum of task losses, each weighted by its learned uncertainty (Kendall, Gal and Cipolla, CVPR 2018).

    Args:
        losses: (T,) mean squared error of each regression, mean cross-entropy of each classification.
        log_variances: (T,) s = log of the task's noise variance, learned, any real numbers.
        regression: (T,) bool, True where the task is a regression.

    Returns:
        Scalar: sum of 1/2 exp(-s) loss + s/2 over the regressions and of exp(-s) loss + s/2 over the classifications,
        differentiable in losses and log_variances.
    """
    reg = 0.5 * (torch.exp(-log_variances) * losses + log_variances)
    cla = torch.exp(-log_variances) * losses + log_variances
    return torch.where(regression, reg, cla).sum()
