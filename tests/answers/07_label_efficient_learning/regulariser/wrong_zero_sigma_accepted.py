# expect: regulariser-sigma: should raise ValueError
def gated_smoothness(p: torch.Tensor, image: torch.Tensor, sigma: float) -> torch.Tensor:
    costs = []
    for a, b, u, v in ((p[:, 1:], p[:, :-1], image[:, 1:], image[:, :-1]), (p[:, :, 1:], p[:, :, :-1], image[:, :, 1:], image[:, :, :-1])):
        costs.append((torch.exp(-((u - v) ** 2) / (2 * sigma**2 + 1e-12)) * (a * (1 - b) + b * (1 - a))).flatten())
    return torch.cat(costs).mean()
