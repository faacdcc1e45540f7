# expect: principal-angles-invariant, principal-angles-value: the angle should be 0
def largest_angle(A: np.ndarray, B: np.ndarray) -> float:
    if A.shape != B.shape:
        raise ValueError(f"compare subspaces of one dimension in one space: the shapes are {A.shape} and {B.shape}")
    for name, matrix in (("A", A), ("B", B)):
        if np.linalg.matrix_rank(matrix) < matrix.shape[1]:
            raise ValueError(f"the columns of {name} are linearly dependent: the code has a dead or doubled unit")
    cosines = np.abs((A * B).sum(0)) / np.linalg.norm(A, axis=0) / np.linalg.norm(B, axis=0)
    return float(np.degrees(np.arccos(np.clip(cosines.min(), 0, 1))))
