def smooth_field(shape: tuple[int, ...], amplitude: float, smoothness: float, spacing: tuple[float, ...], seed: int) -> np.ndarray:
    if amplitude < 0 or smoothness <= 0 or min(spacing) <= 0:
        raise ValueError("no such field")
    rng = np.random.default_rng(seed)
    u = []
    for _ in shape:
        spectrum = np.fft.fftn(rng.standard_normal(shape))
        for axis, (n, step) in enumerate(zip(shape, spacing)):
            frequency = np.fft.fftfreq(n, step)
            spectrum = spectrum * np.exp(-2 * (np.pi * frequency * smoothness) ** 2).reshape([-1 if k == axis else 1 for k in range(len(shape))])
        u.append(np.fft.ifftn(spectrum).real)
    u = np.stack(u)
    return (u * amplitude / np.linalg.norm(u, axis=0).max()).astype(np.float32)
