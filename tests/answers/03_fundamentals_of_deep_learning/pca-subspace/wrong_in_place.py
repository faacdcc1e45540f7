# expect: pca-subspace-basis: in place
def pca_subspace(images: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    if not 1 <= k <= min(len(images) - 1, images.shape[1]):
        raise ValueError("k is out of range")
    mean = images.mean(axis=0)
    images -= mean
    return mean, np.linalg.svd(images, full_matrices=False)[2][:k]
