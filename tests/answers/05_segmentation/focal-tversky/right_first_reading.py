def focal_tversky(probability, truth, alpha, beta, gamma):
    s = 1e-6
    p, g = probability.flatten(1), truth.flatten(1)
    tp, fp, fn = (p * g).sum(1), (p * (1 - g)).sum(1), ((1 - p) * g).sum(1)
    ti = (tp + s) / (tp + alpha * fp + beta * fn + s)
    return (torch.clamp(1 - ti, min=1e-7) ** gamma).mean()
