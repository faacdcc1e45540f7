# expect: zero-filled-skipped: don't multiply it by zero
def zero_filled(kspace: np.ndarray, mask: np.ndarray) -> np.ndarray:
    return np.fft.fftshift(np.fft.ifft2(np.fft.ifftshift(kspace * mask), norm="ortho"))
