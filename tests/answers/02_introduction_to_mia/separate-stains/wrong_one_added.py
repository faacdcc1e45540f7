# expect: separate-stains-limits: treated like 1
def separate_stains(rgb: np.ndarray, stains: np.ndarray, white: np.ndarray) -> np.ndarray:
    M = np.asarray(stains, float)
    M = M / np.linalg.norm(M, axis=1, keepdims=True)
    D = -np.log10((rgb.astype(float) + 1) / (np.asarray(white, float) + 1))
    return np.maximum(D @ np.linalg.pinv(M), 0)
