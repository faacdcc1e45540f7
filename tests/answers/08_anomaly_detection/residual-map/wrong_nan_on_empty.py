# expect: residual-map-bad-input: not nan and not a warning
def residual_map(image: np.ndarray, reconstruction: np.ndarray, brain: np.ndarray, sigma: float) -> np.ndarray:
    from scipy import ndimage

    image, reconstruction, brain = np.asarray(image, dtype=float), np.asarray(reconstruction, dtype=float), np.asarray(brain, dtype=bool)
    if image.shape != reconstruction.shape or image.shape != brain.shape or sigma < 0:
        raise ValueError("bad input")
    r = np.where(brain, np.abs(image - reconstruction), 0.0)
    if sigma == 0:
        return r
    return ndimage.gaussian_filter(r, sigma) / ndimage.gaussian_filter(brain.astype(float), sigma) * brain
