# expect: smooth-field-independent: exactly equally large
from scipy.ndimage import gaussian_filter
def smooth_field(shape, amplitude, smoothness, spacing, seed):
    if amplitude < 0 or smoothness <= 0 or min(spacing) <= 0:
        raise ValueError("no field")
    noise = np.random.default_rng(seed).standard_normal((len(shape), *shape))
    u = np.stack([gaussian_filter(n, [smoothness / s for s in spacing]) for n in noise])
    u = u / np.abs(u).max(axis=tuple(range(1, u.ndim)), keepdims=True)   # each component by its own
    return u * amplitude / np.sqrt((u**2).sum(0)).max()
