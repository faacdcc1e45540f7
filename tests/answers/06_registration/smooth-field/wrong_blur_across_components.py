# expect: smooth-field-independent: the same image
from scipy import ndimage


def smooth_field(shape: tuple[int, ...], amplitude: float, smoothness: float, spacing: tuple[float, ...], seed: int) -> np.ndarray:
    if amplitude < 0 or smoothness <= 0 or min(spacing) <= 0:
        raise ValueError("no such field")
    u = np.random.default_rng(seed).standard_normal((len(shape), *shape))
    u = ndimage.gaussian_filter(u, [smoothness / max(spacing)] + list(smoothness / np.asarray(spacing, float)))
    return u * amplitude / np.sqrt((u**2).sum(0)).max()
