from scipy.ndimage import gaussian_filter

def residual_map(image, reconstruction, brain, sigma):
    # a tiny epsilon: a student's habit
    if not (image.shape == reconstruction.shape == brain.shape) or sigma < 0:
        raise ValueError("bad")
    m = brain.astype(float)
    r = np.abs(image.astype(float) - reconstruction.astype(float)) * m
    return m * gaussian_filter(r, sigma) / (gaussian_filter(m, sigma) + 1e-8)
