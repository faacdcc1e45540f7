def negative_elbo(x: torch.Tensor, decoded: torch.Tensor, mean: torch.Tensor, log_variance: torch.Tensor,
                  likelihood: str = "gaussian", sd: float = 0.1) -> torch.Tensor:
    if likelihood not in ("gaussian", "bernoulli") or sd <= 0:
        raise ValueError("bad input")
    import math

    out = []
    for a, b, m, v in zip(x.double(), decoded.double(), mean.double(), log_variance.double()):
        if likelihood == "gaussian":
            cost = ((a - b) ** 2).sum() / (2 * sd * sd) + a.numel() * math.log(sd * math.sqrt(2 * math.pi))
        else:
            cost = (torch.nn.functional.softplus(b) - a * b).sum()
        out.append(cost - 0.5 * (1 + v - m * m - torch.exp(v)).sum())
    return torch.stack(out)
