# expect: zero-filled-skipped: make good for the gaps
def zero_filled(kspace: np.ndarray, mask: np.ndarray) -> np.ndarray:
    measured = np.where(mask, kspace, 0) / np.mean(mask)
    return np.fft.fftshift(np.fft.ifft2(np.fft.ifftshift(measured), norm="ortho"))
