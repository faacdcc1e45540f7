def residual_map(image: np.ndarray, reconstruction: np.ndarray, brain: np.ndarray, sigma: float) -> np.ndarray:
    from skimage.filters import gaussian

    image, reconstruction, brain = np.asarray(image, dtype=float), np.asarray(reconstruction, dtype=float), np.asarray(brain, dtype=bool)
    if image.shape != reconstruction.shape or image.shape != brain.shape or sigma < 0:
        raise ValueError("bad input")
    r = np.abs(image - reconstruction) * brain
    out = np.zeros(image.shape)
    if sigma == 0 or not brain.any():
        return r
    out[brain] = gaussian(r, sigma, preserve_range=True)[brain] / gaussian(brain.astype(float), sigma, preserve_range=True)[brain]
    return out
