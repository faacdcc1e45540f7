# expect: mask-patches-chance: neighbours should be drawn independently
def random_mask(n_images: int, n_patches: int, ratio: float, seed: int) -> np.ndarray:
    starts = np.random.default_rng(seed).integers(0, n_patches, n_images)
    return (np.arange(n_patches) - starts[:, None]) % n_patches < round(ratio * n_patches)
