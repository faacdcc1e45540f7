# expect: smooth-field-smooth: folds
from scipy import ndimage


def smooth_field(shape: tuple[int, ...], amplitude: float, smoothness: float, spacing: tuple[float, ...], seed: int) -> np.ndarray:
    if amplitude < 0 or smoothness <= 0 or min(spacing) <= 0:
        raise ValueError("no such field")
    rng = np.random.default_rng(seed)
    u = np.stack([rng.standard_normal(shape) for _ in shape])
    return u * amplitude / np.sqrt((u**2).sum(0)).max()
