# expect: smooth-field-independent: the same image
from scipy import ndimage


def smooth_field(shape: tuple[int, ...], amplitude: float, smoothness: float, spacing: tuple[float, ...], seed: int) -> np.ndarray:
    if amplitude < 0 or smoothness <= 0 or min(spacing) <= 0:
        raise ValueError("no such field")
    one = ndimage.gaussian_filter(np.random.default_rng(seed).standard_normal(shape), smoothness / np.asarray(spacing, float))
    u = np.stack([one] * len(shape))
    return u * amplitude / np.sqrt((u**2).sum(0)).max()
