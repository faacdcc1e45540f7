# expect: amplitude-mix-band: negative frequencies too
def mix_amplitude(image: np.ndarray, other: np.ndarray, share: float, radius: int) -> np.ndarray:
    image, other = np.asarray(image, dtype=float), np.asarray(other, dtype=float)
    if image.shape != other.shape or not 0 <= share <= 1 or radius < 0:
        raise ValueError("shapes, share or radius")
    if not np.isfinite(image).all() or not np.isfinite(other).all():
        raise ValueError("not finite")
    spectrum = np.fft.fft2(image)
    u, v = np.fft.fftfreq(image.shape[0]) * image.shape[0], np.fft.fftfreq(image.shape[1]) * image.shape[1]
    u, v = np.rint(u), np.rint(v)
    low = (u[:, None] >= 0) & (v[None] >= 0) & (np.maximum(u[:, None], v[None]) <= radius)
    amplitude = np.abs(spectrum)
    amplitude = np.where(low, (1 - share) * amplitude + share * other, amplitude)
    return np.fft.ifft2(amplitude * np.exp(1j * np.angle(spectrum))).real
