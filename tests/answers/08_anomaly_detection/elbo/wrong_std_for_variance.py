# expect: elbo-kl: the KL of the first image
def negative_elbo(x: torch.Tensor, decoded: torch.Tensor, mean: torch.Tensor, log_variance: torch.Tensor,
                  likelihood: str = "gaussian", sd: float = 0.1) -> torch.Tensor:
    if likelihood not in ("gaussian", "bernoulli") or sd <= 0:
        raise ValueError("bad input")
    if likelihood == "gaussian":
        pixels = (x - decoded) ** 2 / (2 * sd**2) + np.log(sd) + 0.5 * np.log(2 * np.pi)
    else:
        pixels = torch.nn.functional.binary_cross_entropy_with_logits(decoded, x, reduction="none")
    kl = 0.5 * (mean**2 + (log_variance / 2).exp() - 1 - log_variance)
    return pixels.flatten(1).sum(1) + kl.sum(1)
