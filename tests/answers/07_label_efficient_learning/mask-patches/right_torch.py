def random_mask(n_images: int, n_patches: int, ratio: float, seed: int) -> np.ndarray:
    generator = torch.Generator().manual_seed(seed)
    order = torch.rand(n_images, n_patches, generator=generator).argsort(1)
    mask = torch.zeros(n_images, n_patches, dtype=torch.bool)
    return mask.scatter(1, order[:, : round(ratio * n_patches)], True)
