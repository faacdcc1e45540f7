# expect: smooth-field-independent: raise a ValueError
from scipy import ndimage


def smooth_field(shape: tuple[int, ...], amplitude: float, smoothness: float, spacing: tuple[float, ...], seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    u = np.stack([ndimage.gaussian_filter(rng.standard_normal(shape), smoothness / np.asarray(spacing, float)) for _ in shape])
    return u * amplitude / np.sqrt((u**2).sum(0)).max()
