def gated_smoothness(p: torch.Tensor, image: torch.Tensor, sigma: float) -> torch.Tensor:
    if sigma <= 0:
        raise ValueError("sigma must be above 0")
    costs = []
    for a, b, u, v in ((p[:, 1:], p[:, :-1], image[:, 1:], image[:, :-1]), (p[:, :, 1:], p[:, :, :-1], image[:, :, 1:], image[:, :, :-1])):
        costs.append((torch.exp(-((u - v) ** 2) / (2 * sigma**2)) * (a * (1 - b) + b * (1 - a))).flatten())
    return torch.cat(costs).mean()
