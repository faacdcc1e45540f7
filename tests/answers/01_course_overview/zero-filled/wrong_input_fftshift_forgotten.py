# expect: zero-filled-phase: sign alternates from pixel to pixel
def zero_filled(kspace: np.ndarray, mask: np.ndarray) -> np.ndarray:
    measured = np.where(mask, kspace, 0)
    return np.fft.fftshift(np.fft.ifft2(measured, norm="ortho"))
