# expect: zero-filled-inverse, zero-filled-phase: quadrants
def zero_filled(kspace: np.ndarray, mask: np.ndarray) -> np.ndarray:
    return np.fft.ifft2(np.where(mask, kspace, 0), norm="ortho")
