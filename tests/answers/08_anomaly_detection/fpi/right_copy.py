def foreign_patch(image: np.ndarray, other: np.ndarray, mask: np.ndarray, alpha: float, tolerance: float = 0.01) -> tuple[np.ndarray, np.ndarray]:
    if not 0 < alpha <= 1:
        raise ValueError("alpha must lie above 0 and not above 1")
    if not image.shape == other.shape == mask.shape:
        raise ValueError("shapes differ")
    mixed = image.copy()
    mixed[mask] = (1 - alpha) * image[mask] + alpha * other[mask]
    label = np.zeros(image.shape)
    label[abs(mixed - image) > tolerance] = alpha
    return mixed, label
