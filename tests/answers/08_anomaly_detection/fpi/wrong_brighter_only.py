# expect: fpi-label: where the other subject is darker
def foreign_patch(image: np.ndarray, other: np.ndarray, mask: np.ndarray, alpha: float, tolerance: float = 0.01) -> tuple[np.ndarray, np.ndarray]:
    if not 0 < alpha <= 1:
        raise ValueError("alpha must lie above 0 and not above 1")
    if not image.shape == other.shape == mask.shape:
        raise ValueError("shapes differ")
    mixed = np.where(mask, (1 - alpha) * image + alpha * other, image)
    return mixed, np.where(mixed - image > tolerance, alpha, 0.0)
