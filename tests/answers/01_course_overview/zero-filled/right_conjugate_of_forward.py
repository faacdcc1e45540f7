def zero_filled(kspace: np.ndarray, mask: np.ndarray) -> np.ndarray:
    measured = np.where(mask, kspace, 0).conj()
    return np.fft.fftshift(np.fft.fft2(np.fft.ifftshift(measured), norm="ortho")).conj()
