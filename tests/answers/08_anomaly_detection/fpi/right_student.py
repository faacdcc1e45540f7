def foreign_patch(image, other, mask, alpha, tolerance=0.01):
    if not 0 < alpha <= 1:
        raise ValueError("alpha must be in (0, 1]")
    if not image.shape == other.shape == mask.shape:
        raise ValueError("shapes differ")
    mixed = np.where(mask, (1 - alpha) * image + alpha * other, image)
    return mixed, np.where(np.abs(mixed - image) > tolerance, alpha, 0.0)
