def largest_angle(A: np.ndarray, B: np.ndarray) -> float:
    if A.shape != B.shape:
        raise ValueError("other shapes")
    bases = []
    for M in (A, B):
        u, s, _ = np.linalg.svd(M, full_matrices=False)
        if s[-1] < 1e-10 * s[0]:
            raise ValueError("dependent columns")
        bases.append(u @ u.T)
    sine = np.linalg.norm(bases[0] @ (np.eye(len(A)) - bases[1]), 2)
    return float(np.degrees(np.arcsin(min(sine, 1.0))))
