# expect: smooth-field-millimetres: divide by the spacing
from scipy import ndimage


def smooth_field(shape: tuple[int, ...], amplitude: float, smoothness: float, spacing: tuple[float, ...], seed: int) -> np.ndarray:
    if amplitude < 0 or smoothness <= 0 or min(spacing) <= 0:
        raise ValueError("no such field")
    rng = np.random.default_rng(seed)
    u = np.stack([ndimage.gaussian_filter(rng.standard_normal(shape), smoothness) for _ in shape])
    return u * amplitude / np.sqrt((u**2).sum(0)).max()
