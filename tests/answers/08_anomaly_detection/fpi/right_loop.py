def foreign_patch(image: np.ndarray, other: np.ndarray, mask: np.ndarray, alpha: float, tolerance: float = 0.01) -> tuple[np.ndarray, np.ndarray]:
    if not 0 < alpha <= 1:
        raise ValueError("alpha must lie above 0 and not above 1")
    if not image.shape == other.shape == mask.shape:
        raise ValueError("shapes differ")
    mixed, label = np.array(image, dtype=float), np.zeros(image.shape)
    for place in zip(*np.nonzero(mask)):
        mixed[place] = image[place] * (1 - alpha) + other[place] * alpha
        if abs(mixed[place] - image[place]) > tolerance:
            label[place] = alpha
    return mixed, label
