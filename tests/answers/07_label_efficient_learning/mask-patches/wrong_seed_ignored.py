# expect: mask-patches-chance: the same seed should give
def random_mask(n_images: int, n_patches: int, ratio: float, seed: int) -> np.ndarray:
    noise = np.random.default_rng().random((n_images, n_patches))
    return noise.argsort(axis=1).argsort(axis=1) < round(ratio * n_patches)
