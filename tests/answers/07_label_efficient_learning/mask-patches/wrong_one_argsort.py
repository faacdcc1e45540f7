# expect: mask-patches-chance: one patch is hidden in
def random_mask(n_images: int, n_patches: int, ratio: float, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    order = np.tile(np.arange(n_patches), (n_images, 1))
    order[:, 1:] = rng.permuted(order[:, 1:], axis=1)
    return order < round(ratio * n_patches)
