from scipy.ndimage import gaussian_filter

def residual_map(image, reconstruction, brain, sigma):
    if not (image.shape == reconstruction.shape == brain.shape):
        raise ValueError("shapes differ")
    if sigma < 0:
        raise ValueError("sigma negative")
    m = brain.astype(float)
    r = np.abs(image.astype(float) - reconstruction.astype(float)) * m
    if not brain.any():
        return np.zeros(image.shape)
    if sigma > 0:
        top, bottom = gaussian_filter(r, sigma), gaussian_filter(m, sigma)
        r = np.divide(top, bottom, out=np.zeros_like(top), where=brain)
    return r
