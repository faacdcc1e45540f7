def mix_amplitude(image: np.ndarray, other: np.ndarray, share: float, radius: int) -> np.ndarray:
    image, other = np.asarray(image, dtype=float), np.asarray(other, dtype=float)
    if image.shape != other.shape or not 0 <= share <= 1 or radius < 0:
        raise ValueError("shapes, share or radius")
    if not np.isfinite(image).all() or not np.isfinite(other).all():
        raise ValueError("not finite")
    f = torch.fft.fft2(torch.tensor(image))
    rows = torch.fft.fftfreq(image.shape[0], 1 / image.shape[0]).abs()
    columns = torch.fft.fftfreq(image.shape[1], 1 / image.shape[1]).abs()
    low = (rows[:, None].round() <= radius) & (columns[None].round() <= radius)
    a = torch.where(low, torch.lerp(f.abs(), torch.tensor(other), share), f.abs())
    return torch.fft.ifft2(torch.polar(a, f.angle())).real.numpy()
