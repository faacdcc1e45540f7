def separate_stains(rgb: np.ndarray, stains: np.ndarray, white: np.ndarray) -> np.ndarray:
    M = np.asarray(stains, float)
    M = M / np.linalg.norm(M, axis=1, keepdims=True)
    D = -np.log10(np.maximum(rgb.astype(float), 1) / np.asarray(white, float))
    D = np.maximum(D, 0)
    return np.maximum(D @ np.linalg.pinv(M), 0)
