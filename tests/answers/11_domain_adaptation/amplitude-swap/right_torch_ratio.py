def swap_amplitude(source: np.ndarray, target: np.ndarray, reach: int) -> np.ndarray:
    a, b = torch.tensor(np.asarray(source, dtype=float)), torch.tensor(np.asarray(target, dtype=float))
    if a.shape != b.shape or a.dim() != 2 or reach < 0 or not (a.isfinite().all() and b.isfinite().all()):
        raise ValueError("bad input")
    fa, fb = torch.fft.fft2(a), torch.fft.fft2(b)
    near = [torch.fft.fftfreq(n, 1 / n).abs().round() <= reach for n in a.shape]
    ratio = torch.where(near[0][:, None] & near[1][None], fb.abs() / fa.abs().clamp_min(1e-300), torch.ones((), dtype=torch.float64))
    return torch.fft.ifft2(fa * ratio).real.numpy()
