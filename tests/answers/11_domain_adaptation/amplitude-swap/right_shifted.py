def swap_amplitude(source: np.ndarray, target: np.ndarray, reach: int) -> np.ndarray:
    if np.ndim(source) != 2 or np.shape(source) != np.shape(target) or reach < 0:
        raise ValueError("shapes or reach")
    if not np.isfinite(np.sum(source) + np.sum(target)):
        raise ValueError("not finite")
    a = np.fft.fftshift(np.fft.fft2(source))
    b = np.fft.fftshift(np.fft.fft2(target))
    amplitude, phase = np.abs(a), np.angle(a)
    (h, w) = a.shape
    rows = slice(max(h // 2 - reach, 0), h // 2 + reach + 1)
    cols = slice(max(w // 2 - reach, 0), w // 2 + reach + 1)
    amplitude[rows, cols] = np.abs(b)[rows, cols]
    return np.fft.ifft2(np.fft.ifftshift(amplitude * np.exp(1j * phase))).real
