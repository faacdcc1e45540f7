# expect: zero-filled-inverse, zero-filled-phase: quadrants have changed places
def zero_filled(kspace: np.ndarray, mask: np.ndarray) -> np.ndarray:
    measured = np.where(mask, kspace, 0)
    return np.fft.ifft2(np.fft.ifftshift(measured), norm="ortho")
