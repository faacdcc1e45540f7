# expect: zero-filled-inverse, zero-filled-skipped, zero-filled-phase: orthonormal scaling
def zero_filled(kspace: np.ndarray, mask: np.ndarray) -> np.ndarray:
    measured = np.where(mask, kspace, 0)
    return np.fft.fftshift(np.fft.ifft2(np.fft.ifftshift(measured)))
