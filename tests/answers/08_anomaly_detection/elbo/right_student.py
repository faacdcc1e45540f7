def negative_elbo(x, decoded, mean, log_variance, likelihood="gaussian", sd=0.1):
    if likelihood == "gaussian":
        if sd <= 0:
            raise ValueError("sd must be positive")
        nll = ((x - decoded) ** 2 / (2 * sd**2) + np.log(sd) + 0.5 * np.log(2 * np.pi)).flatten(1).sum(1)
    elif likelihood == "bernoulli":
        nll = torch.nn.functional.binary_cross_entropy_with_logits(decoded, x, reduction="none").flatten(1).sum(1)
    else:
        raise ValueError(f"unknown likelihood {likelihood}")
    kl = 0.5 * (mean**2 + log_variance.exp() - 1 - log_variance).sum(1)
    return nll + kl
