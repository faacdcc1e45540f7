# expect: smooth-field-smooth: a translation
def smooth_field(shape: tuple[int, ...], amplitude: float, smoothness: float, spacing: tuple[float, ...], seed: int) -> np.ndarray:
    if amplitude < 0 or smoothness <= 0 or min(spacing) <= 0:
        raise ValueError("no such field")
    u = np.random.default_rng(seed).standard_normal((len(shape),) + (1,) * len(shape)) * np.ones((1, *shape))
    return u * amplitude / np.sqrt((u**2).sum(0)).max()
