def largest_angle(A: np.ndarray, B: np.ndarray) -> float:
    from scipy.linalg import subspace_angles

    if A.shape != B.shape:
        raise ValueError("other shapes")
    if min(np.linalg.matrix_rank(A), np.linalg.matrix_rank(B)) < A.shape[1]:
        raise ValueError("dependent columns")
    return np.degrees(subspace_angles(A, B).max())
