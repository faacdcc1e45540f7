# expect: mask-patches-count: your mask is the negative
def random_mask(n_images: int, n_patches: int, ratio: float, seed: int) -> np.ndarray:
    noise = np.random.default_rng(seed).random((n_images, n_patches))
    return noise.argsort(axis=1).argsort(axis=1) >= round(ratio * n_patches)
