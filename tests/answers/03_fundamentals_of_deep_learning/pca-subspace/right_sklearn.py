def pca_subspace(images: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    from sklearn.decomposition import PCA

    if not 1 <= k <= min(len(images) - 1, images.shape[1]):
        raise ValueError("k is out of range")
    fitted = PCA(k, svd_solver="full").fit(images)
    return fitted.mean_, fitted.components_
