# expect: fpi-label: size of the change
def foreign_patch(image, other, mask, alpha, tolerance=0.01):
    if not 0 < alpha <= 1 or not image.shape == other.shape == mask.shape:
        raise ValueError("bad")
    mixed = np.where(mask, (1 - alpha) * image + alpha * other, image)
    return mixed, np.abs(mixed - image)
