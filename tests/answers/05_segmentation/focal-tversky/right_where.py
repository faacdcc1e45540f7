def focal_tversky(probability, truth, alpha, beta, gamma):
    p, g = probability.reshape(len(probability), -1), truth.reshape(len(truth), -1)
    tp = torch.einsum("bi,bi->b", p, g)
    ti = (tp + 1e-6) / ((1 - alpha - beta) * tp + alpha * p.sum(1) + beta * g.sum(1) + 1e-6)
    rest = 1 - ti
    safe = torch.where(rest > 1e-7, rest, torch.full_like(rest, 1e-7))
    return (safe**gamma).sum() / len(p)
