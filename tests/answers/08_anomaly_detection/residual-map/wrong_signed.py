# expect: residual-map-absolute: negative values
def residual_map(image: np.ndarray, reconstruction: np.ndarray, brain: np.ndarray, sigma: float) -> np.ndarray:
    from scipy import ndimage

    image, reconstruction, brain = np.asarray(image, dtype=float), np.asarray(reconstruction, dtype=float), np.asarray(brain, dtype=bool)
    if image.shape != reconstruction.shape or image.shape != brain.shape or sigma < 0:
        raise ValueError("bad input")
    r = np.where(brain, image - reconstruction, 0.0)
    if sigma == 0:
        return r
    w = np.where(brain, ndimage.gaussian_filter(brain.astype(float), sigma), 1.0)
    return np.where(brain, ndimage.gaussian_filter(r, sigma) / w, 0.0)
