# expect: smooth-field-amplitude: Take the norm over the components
from scipy import ndimage


def smooth_field(shape: tuple[int, ...], amplitude: float, smoothness: float, spacing: tuple[float, ...], seed: int) -> np.ndarray:
    if amplitude < 0 or smoothness <= 0 or min(spacing) <= 0:
        raise ValueError("no such field")
    rng = np.random.default_rng(seed)
    u = np.stack([ndimage.gaussian_filter(rng.standard_normal(shape), smoothness / np.asarray(spacing, float)) for _ in shape])
    return u * amplitude / np.abs(u).reshape(len(shape), -1).max(1).reshape([-1] + [1] * len(shape))
