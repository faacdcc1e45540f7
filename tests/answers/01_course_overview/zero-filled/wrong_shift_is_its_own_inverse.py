# expect: zero-filled-phase: odd sides
def zero_filled(kspace: np.ndarray, mask: np.ndarray) -> np.ndarray:
    measured = np.where(mask, kspace, 0)
    return np.fft.ifftshift(np.fft.ifft2(np.fft.fftshift(measured), norm="ortho"))
