# expect: pca-subspace-basis, pca-subspace-best, pca-subspace-limits: One direction a ROW
def pca_subspace(images: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    if not 1 <= k <= min(len(images) - 1, images.shape[1]):
        raise ValueError(f"{len(images)} images of {images.shape[1]} pixels have no {k} components")
    mean = images.mean(axis=0)
    return mean, np.linalg.svd(images - mean, full_matrices=False)[2][:k].T
