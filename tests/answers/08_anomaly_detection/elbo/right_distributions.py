def negative_elbo(x: torch.Tensor, decoded: torch.Tensor, mean: torch.Tensor, log_variance: torch.Tensor,
                  likelihood: str = "gaussian", sd: float = 0.1) -> torch.Tensor:
    if likelihood not in ("gaussian", "bernoulli") or sd <= 0:
        raise ValueError("bad input")
    from torch.distributions import Bernoulli, Independent, Normal, kl_divergence

    if likelihood == "gaussian":
        law = Independent(Normal(decoded, torch.full_like(decoded, sd)), 3)
    else:
        law = Independent(Bernoulli(logits=decoded, validate_args=False), 3)
    code = Independent(Normal(mean, (0.5 * log_variance).exp()), 1)
    prior = Independent(Normal(torch.zeros_like(mean), torch.ones_like(mean)), 1)
    return kl_divergence(code, prior) - law.log_prob(x)
