# expect: zero-filled-skipped: is the mask used
def zero_filled(kspace: np.ndarray, mask: np.ndarray) -> np.ndarray:
    return np.fft.fftshift(np.fft.ifft2(np.fft.ifftshift(kspace), norm="ortho"))
