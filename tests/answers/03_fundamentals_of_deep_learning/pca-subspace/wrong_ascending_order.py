# expect: pca-subspace-best: order the rows by variance
def pca_subspace(images: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    if not 1 <= k <= min(len(images) - 1, images.shape[1]):
        raise ValueError("k is out of range")
    mean = images.mean(axis=0)
    return mean, np.linalg.eigh(np.cov(images.T))[1][:, -k:].T
