# expect: fpi-bad: must raise a ValueError
def foreign_patch(image: np.ndarray, other: np.ndarray, mask: np.ndarray, alpha: float, tolerance: float = 0.01) -> tuple[np.ndarray, np.ndarray]:
    mixed = np.where(mask, (1 - alpha) * image + alpha * other, image)
    return mixed, np.where(np.abs(mixed - image) > tolerance, alpha, 0.0)
