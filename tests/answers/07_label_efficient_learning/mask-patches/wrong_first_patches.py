# expect: mask-patches-chance: all images hide the same
def random_mask(n_images: int, n_patches: int, ratio: float, seed: int) -> np.ndarray:
    return np.tile(np.arange(n_patches) < round(ratio * n_patches), (n_images, 1))
