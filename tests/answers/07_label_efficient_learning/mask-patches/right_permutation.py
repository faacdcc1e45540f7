def random_mask(n_images: int, n_patches: int, ratio: float, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    mask = np.zeros((n_images, n_patches), dtype=bool)
    for row in mask:
        row[rng.permutation(n_patches)[: round(ratio * n_patches)]] = True
    return mask
