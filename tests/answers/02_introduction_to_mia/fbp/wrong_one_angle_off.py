# expect: fbp-place: came back around
def fbp(counts: np.ndarray, blank: float, angles: np.ndarray, spacing: float) -> np.ndarray:
    p = -np.log(np.maximum(counts, 1) / blank)
    n = len(p)
    padded = 4 * n
    ramp = np.abs(np.fft.fftfreq(padded, d=spacing))
    q = np.fft.ifft(np.fft.fft(p, n=padded, axis=0) * ramp[:, None], axis=0).real[:n]
    detector = (np.arange(n) - (n - 1) / 2) * spacing
    x, y = np.meshgrid(detector, -detector)
    image = np.zeros((n, n))
    for k, theta in enumerate(np.deg2rad(np.linspace(0, 360, len(angles)))):
        t = x * np.cos(theta) + y * np.sin(theta)
        image += np.interp(t, detector, q[:, k], left=0, right=0)
    return image * np.pi / len(angles)
