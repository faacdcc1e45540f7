# expect: jacobian-share: central differences
def folding(u: np.ndarray, spacing: tuple[float, ...], mask: np.ndarray) -> tuple[np.ndarray, float]:
    if not mask.any():
        raise ValueError("the mask is empty: there is no voxel to look at")
    d = len(u)
    derivative = np.stack([np.stack([np.diff(u[i], axis=k, append=2 * np.take(u[i], [-1], axis=k) - np.take(u[i], [-2], axis=k)) / spacing[k] for k in range(d)]) for i in range(d)])
    matrix = np.moveaxis(derivative, (0, 1), (-2, -1)) + np.eye(d)
    determinant = np.linalg.det(matrix)
    return determinant, float((determinant[mask] <= 0).mean())
