# expect: amplitude-swap-low: you swapped the high frequencies
def swap_amplitude(source: np.ndarray, target: np.ndarray, reach: int) -> np.ndarray:
    source, target = np.asarray(source, dtype=float), np.asarray(target, dtype=float)
    if source.shape != target.shape or source.ndim != 2 or reach < 0:
        raise ValueError("shapes or reach")
    if not (np.isfinite(source).all() and np.isfinite(target).all()):
        raise ValueError("not finite")
    a, b = np.fft.fft2(source), np.fft.fft2(target)
    rows, cols = (np.rint(np.abs(np.fft.fftfreq(n) * n)) for n in source.shape)
    low = (rows[:, None] <= reach) & (cols[None] <= reach)
    amplitude, phase = np.abs(a), np.angle(a)
    amplitude[~low] = np.abs(b)[~low]
    return np.real(np.fft.ifft2(amplitude * np.exp(1j * phase)))
