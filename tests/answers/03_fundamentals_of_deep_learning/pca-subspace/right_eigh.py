def pca_subspace(images: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    if k < 1 or k > len(images) - 1 or k > images.shape[1]:
        raise ValueError("too many or too few")
    mean = np.mean(images, 0)
    values, columns = np.linalg.eigh((images - mean).T @ (images - mean))
    return mean, columns[:, ::-1][:, :k].T
