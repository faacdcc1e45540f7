from scipy import ndimage


def smooth_field(shape: tuple[int, ...], amplitude: float, smoothness: float, spacing: tuple[float, ...], seed: int) -> np.ndarray:
    if amplitude < 0 or smoothness <= 0 or min(spacing) <= 0:
        raise ValueError("no such field")
    u = np.random.RandomState(seed).normal(size=(len(shape),) + tuple(shape))
    u = ndimage.gaussian_filter(u, [0] + [smoothness / s for s in spacing], mode="wrap")
    return amplitude * u / np.sqrt(np.einsum("i...,i...->...", u, u).max())
