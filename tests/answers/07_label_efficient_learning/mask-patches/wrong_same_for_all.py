# expect: mask-patches-chance: Draw anew for each image
def random_mask(n_images: int, n_patches: int, ratio: float, seed: int) -> np.ndarray:
    row = np.random.default_rng(seed).permutation(n_patches) < round(ratio * n_patches)
    return np.tile(row, (n_images, 1))
