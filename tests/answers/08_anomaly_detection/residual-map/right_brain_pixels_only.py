from scipy.ndimage import gaussian_filter

def residual_map(image, reconstruction, brain, sigma):
    # gaussian_filter with sigma 0 is the identity
    if not (image.shape == reconstruction.shape == brain.shape) or sigma < 0:
        raise ValueError("bad")
    out = np.zeros(image.shape)
    if brain.any():
        m = brain.astype(float)
        r = np.abs(image.astype(float) - reconstruction) * m
        out[brain] = gaussian_filter(r, sigma)[brain] / gaussian_filter(m, sigma)[brain]
    return out
