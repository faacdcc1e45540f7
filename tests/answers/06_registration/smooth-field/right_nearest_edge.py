from scipy.ndimage import gaussian_filter
def smooth_field(shape, amplitude, smoothness, spacing, seed):
    if amplitude < 0 or smoothness <= 0 or min(spacing) <= 0:
        raise ValueError("no field")
    rng = np.random.RandomState(seed)
    u = np.array([gaussian_filter(rng.randn(*shape), [smoothness / s for s in spacing], mode="nearest") for _ in shape])
    return amplitude * u / np.linalg.norm(u, axis=0).max()
