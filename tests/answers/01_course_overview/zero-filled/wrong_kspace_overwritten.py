# expect: zero-filled-skipped: caller's k-space
def zero_filled(kspace: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Reconstruct an image from the k-space samples that were measured; the others count as zero.

    Args:
        kspace: complex (H, W), zero frequency at [H // 2, W // 2]; H and W may be odd. Where `mask` is False it may hold anything, even nan.
        mask: boolean (H, W), True where a sample was measured.

    Returns:
        The complex image (H, W), orthonormal scaling (the image has the energy of the measured samples).
    """
    kspace[~mask] = 0
    return np.fft.fftshift(np.fft.ifft2(np.fft.ifftshift(kspace), norm="ortho"))
