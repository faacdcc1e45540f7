# expect: fpi-blend: were changed
def foreign_patch(image: np.ndarray, other: np.ndarray, mask: np.ndarray, alpha: float, tolerance: float = 0.01) -> tuple[np.ndarray, np.ndarray]:
    if not 0 < alpha <= 1:
        raise ValueError("alpha must lie above 0 and not above 1")
    if not image.shape == other.shape == mask.shape:
        raise ValueError("shapes differ")
    before = image.copy()
    image[mask] = (1 - alpha) * image[mask] + alpha * other[mask]
    return image, np.where(np.abs(image - before) > tolerance, alpha, 0.0)
