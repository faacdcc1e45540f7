# expect: elbo-kl: the KL of the first image should be
def negative_elbo(x, decoded, mean, log_variance, likelihood="gaussian", sd=0.1):
    if likelihood not in ("gaussian", "bernoulli") or sd <= 0:
        raise ValueError("bad")
    D = torch.distributions
    if likelihood == "gaussian":
        nll = -D.Normal(decoded, sd).log_prob(x).flatten(1).sum(1)
    else:
        nll = torch.nn.functional.binary_cross_entropy_with_logits(decoded, x, reduction="none").flatten(1).sum(1)
    return nll + 0.5 * (mean**2 + log_variance.exp() - 1 - log_variance).sum(1).mean()
