def separate_stains(rgb: np.ndarray, stains: np.ndarray, white: np.ndarray) -> np.ndarray:
    from scipy.optimize import nnls
    M = np.asarray(stains, float)
    M = M / np.linalg.norm(M, axis=1, keepdims=True)
    D = -np.log10(np.maximum(rgb.astype(float), 1) / np.asarray(white, float))
    return np.array([[nnls(M.T, d)[0] for d in row] for row in D])
