def foreign_patch(image: np.ndarray, other: np.ndarray, mask: np.ndarray, alpha: float, tolerance: float = 0.01) -> tuple[np.ndarray, np.ndarray]:
    if not 0 < alpha <= 1:
        raise ValueError("alpha must lie above 0 and not above 1")
    if not image.shape == other.shape == mask.shape:
        raise ValueError("shapes differ")
    x, z, m = torch.as_tensor(image), torch.as_tensor(other), torch.as_tensor(mask)
    mixed = torch.where(m, torch.lerp(x, z, alpha), x)
    return mixed.numpy(), ((mixed - x).abs() > tolerance).float().numpy() * alpha
