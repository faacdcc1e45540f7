def gated_smoothness(p: torch.Tensor, image: torch.Tensor, sigma: float) -> torch.Tensor:
    if not sigma > 0:
        raise ValueError("sigma must be above 0")
    p, image = np.asarray(p, dtype=float), np.asarray(image, dtype=float)
    total, pairs = 0.0, 0
    for axis in (1, 2):
        a, b = np.delete(p, -1, axis), np.delete(p, 0, axis)
        w = np.exp(-0.5 * (np.diff(image, axis=axis) / sigma) ** 2)
        total, pairs = total + (w * (a + b - 2 * a * b)).sum(), pairs + w.size
    return torch.tensor(total / pairs)
