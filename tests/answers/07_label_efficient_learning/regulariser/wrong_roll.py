# expect: regulariser-pairs, regulariser-gate: no roll
def gated_smoothness(p: torch.Tensor, image: torch.Tensor, sigma: float) -> torch.Tensor:
    if sigma <= 0:
        raise ValueError("sigma must be above 0")
    total = 0.0
    for axis in (1, 2):
        q, x = torch.roll(p, 1, axis), torch.roll(image, 1, axis)
        total = total + (torch.exp(-((x - image) ** 2) / (2 * sigma**2)) * (p * (1 - q) + q * (1 - p))).mean()
    return total / 2
