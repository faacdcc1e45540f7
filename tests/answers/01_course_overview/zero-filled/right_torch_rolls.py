def zero_filled(kspace: np.ndarray, mask: np.ndarray) -> np.ndarray:
    samples = torch.zeros(kspace.shape, dtype=torch.complex64)
    chosen = torch.as_tensor(np.asarray(mask))
    samples[chosen] = torch.as_tensor(np.asarray(kspace)[np.asarray(mask)]).to(torch.complex64)
    image = torch.fft.ifft2(torch.fft.ifftshift(samples), norm="ortho")
    return torch.fft.fftshift(image).numpy()
