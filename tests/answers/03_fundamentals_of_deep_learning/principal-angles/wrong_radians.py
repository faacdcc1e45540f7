# expect: principal-angles-value: the angle in radians
def largest_angle(A: np.ndarray, B: np.ndarray) -> float:
    if A.shape != B.shape:
        raise ValueError(f"compare subspaces of one dimension in one space: the shapes are {A.shape} and {B.shape}")
    for name, matrix in (("A", A), ("B", B)):
        if np.linalg.matrix_rank(matrix) < matrix.shape[1]:
            raise ValueError(f"the columns of {name} are linearly dependent: the code has a dead or doubled unit")
    cosines = np.linalg.svd(np.linalg.qr(A)[0].T @ np.linalg.qr(B)[0], compute_uv=False)
    return float(np.arccos(np.clip(cosines.min(), 0, 1)))
