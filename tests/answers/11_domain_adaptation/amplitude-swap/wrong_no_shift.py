# expect: amplitude-swap-low: where does your transform put it
def swap_amplitude(source: np.ndarray, target: np.ndarray, reach: int) -> np.ndarray:
    if np.ndim(source) != 2 or np.shape(source) != np.shape(target) or reach < 0 or not np.isfinite(np.sum(source) + np.sum(target)):
        raise ValueError("bad input")
    a, b = np.fft.fft2(source), np.fft.fft2(target)
    amplitude, phase, (h, w) = np.abs(a), np.angle(a), a.shape
    rows, cols = slice(max(h // 2 - reach, 0), h // 2 + reach + 1), slice(max(w // 2 - reach, 0), w // 2 + reach + 1)
    amplitude[rows, cols] = np.abs(b)[rows, cols]
    return np.fft.ifft2(amplitude * np.exp(1j * phase)).real
