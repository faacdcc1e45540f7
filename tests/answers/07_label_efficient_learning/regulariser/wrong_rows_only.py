# expect: regulariser-sigma, regulariser-pairs, regulariser-gate: lying on its side
def gated_smoothness(p: torch.Tensor, image: torch.Tensor, sigma: float) -> torch.Tensor:
    if sigma <= 0:
        raise ValueError("sigma must be above 0")
    a, b, u, v = p[:, :, 1:], p[:, :, :-1], image[:, :, 1:], image[:, :, :-1]
    return (torch.exp(-((u - v) ** 2) / (2 * sigma**2)) * (a * (1 - b) + b * (1 - a))).mean()
