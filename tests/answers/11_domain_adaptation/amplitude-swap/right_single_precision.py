def swap_amplitude(source: np.ndarray, target: np.ndarray, reach: int) -> np.ndarray:
    a, b = torch.as_tensor(np.array(source), dtype=torch.float32), torch.as_tensor(np.array(target), dtype=torch.float32)
    if a.shape != b.shape or a.ndim != 2 or reach < 0 or not (torch.isfinite(a).all() and torch.isfinite(b).all()):
        raise ValueError("bad input")
    fa, fb = torch.fft.fft2(a), torch.fft.fft2(b)
    rows, cols = (torch.fft.fftfreq(n, 1 / n).abs().round() <= reach for n in a.shape)
    amplitude = torch.where(rows[:, None] & cols, fb.abs(), fa.abs())
    return torch.fft.ifft2(torch.polar(amplitude, fa.angle())).real.numpy()
