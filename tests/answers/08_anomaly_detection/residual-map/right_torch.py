def residual_map(image: np.ndarray, reconstruction: np.ndarray, brain: np.ndarray, sigma: float) -> np.ndarray:
    import torch.nn.functional as F

    image, reconstruction, brain = np.asarray(image, dtype=float), np.asarray(reconstruction, dtype=float), np.asarray(brain, dtype=bool)
    if image.shape != reconstruction.shape or image.shape != brain.shape or sigma < 0:
        raise ValueError("bad input")
    r = torch.tensor(np.where(brain, np.abs(image - reconstruction), 0.0))[None, None]
    m = torch.tensor(brain.astype(float))[None, None]
    if sigma > 0:
        reach = int(4 * sigma + 0.5)
        k = torch.exp(-torch.arange(-reach, reach + 1).double() ** 2 / (2 * sigma**2))
        k = (k[:, None] * k)[None, None]
        r = F.conv2d(r, k, padding=reach) / F.conv2d(m, k, padding=reach).clamp_min(1e-12)
    return (r * m)[0, 0]
