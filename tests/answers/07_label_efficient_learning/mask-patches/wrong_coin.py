# expect: mask-patches-count, mask-patches-chance: don't toss a coin
def random_mask(n_images: int, n_patches: int, ratio: float, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).random((n_images, n_patches)) < ratio
