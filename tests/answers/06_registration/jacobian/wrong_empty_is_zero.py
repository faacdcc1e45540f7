# expect: jacobian-empty: must raise ValueError
def folding(u: np.ndarray, spacing: tuple[float, ...], mask: np.ndarray) -> tuple[np.ndarray, float]:
    if not mask.any():
        return np.ones(mask.shape), 0.0
    d = len(u)
    derivative = np.stack([np.stack(np.gradient(u[i], *spacing)) for i in range(d)])
    matrix = np.moveaxis(derivative, (0, 1), (-2, -1)) + np.eye(d)
    determinant = np.linalg.det(matrix)
    return determinant, float((determinant[mask] <= 0).mean())
