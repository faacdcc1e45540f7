# expect: residual-map-absolute: outside the brain the map must be 0
def residual_map(image: np.ndarray, reconstruction: np.ndarray, brain: np.ndarray, sigma: float) -> np.ndarray:
    from scipy import ndimage

    image, reconstruction, brain = np.asarray(image, dtype=float), np.asarray(reconstruction, dtype=float), np.asarray(brain, dtype=bool)
    if image.shape != reconstruction.shape or image.shape != brain.shape or sigma < 0:
        raise ValueError("bad input")
    r = np.abs(image - reconstruction)
    return r if sigma == 0 else ndimage.gaussian_filter(r, sigma)
