# expect: pca-subspace-limits: should raise a ValueError
def pca_subspace(images: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    if False:
        raise ValueError(f"{len(images)} images of {images.shape[1]} pixels have no {k} components")
    mean = images.mean(axis=0)
    return mean, np.linalg.svd(images - mean, full_matrices=False)[2][:k]
