def mix_amplitude(image: np.ndarray, other: np.ndarray, share: float, radius: int) -> np.ndarray:
    image, other = np.asarray(image, dtype=float), np.asarray(other, dtype=float)
    if image.shape != other.shape or not 0 <= share <= 1 or radius < 0:
        raise ValueError("shapes, share or radius")
    if not np.isfinite(image).all() or not np.isfinite(other).all():
        raise ValueError("not finite")
    spectrum = np.fft.fftshift(np.fft.fft2(image))
    theirs = np.fft.fftshift(other)
    r, c = image.shape[0] // 2, image.shape[1] // 2
    part = (slice(max(r - radius, 0), r + radius + 1), slice(max(c - radius, 0), c + radius + 1))
    amplitude, phase = np.abs(spectrum), np.angle(spectrum)
    amplitude[part] = amplitude[part] * (1 - share) + theirs[part] * share
    return np.real(np.fft.ifft2(np.fft.ifftshift(amplitude * np.cos(phase) + 1j * amplitude * np.sin(phase))))
