# expect: amplitude-swap-phase: not its absolute value
def swap_amplitude(source: np.ndarray, target: np.ndarray, reach: int) -> np.ndarray:
    if np.ndim(source) != 2 or np.shape(source) != np.shape(target) or reach < 0:
        raise ValueError("shapes or reach")
    if not np.isfinite(np.sum(source) + np.sum(target)):
        raise ValueError("not finite")
    a, b = np.fft.fft2(source), np.fft.fft2(target)
    kr, kc = (np.abs(np.fft.fftfreq(n, 1 / n)) for n in source.shape)
    low = (kr[:, None] <= reach + 0.5) & (kc[None] <= reach + 0.5)
    return np.abs(np.fft.ifft2(np.where(low, np.abs(b), np.abs(a)) * np.exp(1j * np.angle(a))))
