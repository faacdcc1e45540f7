# expect: fbp-place: linear interpolation
def fbp(counts: np.ndarray, blank: float, angles: np.ndarray, spacing: float) -> np.ndarray:
    counts = np.asarray(counts, float)
    D, A = counts.shape
    p = -np.log(np.maximum(counts, 1) / blank)
    padded = 2 * D
    omega = np.abs(np.fft.fftfreq(padded, d=spacing))
    q = np.fft.ifft(np.fft.fft(p, n=padded, axis=0) * omega[:, None], axis=0).real[:D]
    detector = (np.arange(D) - (D - 1) / 2) * spacing
    x = detector[None, :]
    y = -detector[:, None]
    image = np.zeros((D, D))
    for k, theta in enumerate(np.deg2rad(angles)):
        t = x * np.cos(theta) + y * np.sin(theta)
        i = np.rint(t / spacing + (D - 1) / 2).astype(int)
        image += np.where((i >= 0) & (i < D), q[np.clip(i, 0, D - 1), k], 0)
    return image * np.pi / A
