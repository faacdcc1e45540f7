# expect: smooth-field-smooth: a translation
from scipy.ndimage import gaussian_filter
def smooth_field(shape, amplitude, smoothness, spacing, seed):
    if amplitude < 0 or smoothness <= 0 or min(spacing) <= 0:
        raise ValueError("no field")
    noise = np.random.default_rng(seed).random((len(shape), *shape))   # not centred: all arrows to the lower right
    u = np.stack([gaussian_filter(n, [smoothness / s for s in spacing]) for n in noise])
    return u * amplitude / np.sqrt((u**2).sum(0)).max()
