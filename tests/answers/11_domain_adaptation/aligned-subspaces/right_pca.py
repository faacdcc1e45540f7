def aligned_subspaces(source: np.ndarray, target: np.ndarray, d: int) -> tuple[np.ndarray, np.ndarray]:
    from sklearn.decomposition import PCA
    if source.shape[1] != target.shape[1] or not 1 <= d <= min(len(source) - 1, len(target) - 1, source.shape[1]):
        raise ValueError("bad input")
    one, two = PCA(d, svd_solver="full").fit(source), PCA(d, svd_solver="full").fit(target)
    return one.transform(source) @ (one.components_ @ two.components_.T), two.transform(target)
