# expect: jacobian-share: exactly 0
def folding(u: np.ndarray, spacing: tuple[float, ...], mask: np.ndarray) -> tuple[np.ndarray, float]:
    if not mask.any():
        raise ValueError("the mask is empty: there is no voxel to look at")
    d = len(u)
    derivative = np.stack([np.stack(np.gradient(u[i], *spacing)) for i in range(d)])
    matrix = np.moveaxis(derivative, (0, 1), (-2, -1)) + np.eye(d)
    determinant = np.linalg.det(matrix)
    return determinant, float((determinant[mask] < 0).mean())
