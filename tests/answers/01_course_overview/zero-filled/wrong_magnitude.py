# expect: zero-filled-phase: complex
def zero_filled(kspace: np.ndarray, mask: np.ndarray) -> np.ndarray:
    measured = np.where(mask, kspace, 0)
    return np.abs(np.fft.fftshift(np.fft.ifft2(np.fft.ifftshift(measured), norm="ortho")))
