# expect: separate-stains-limits: wraps
def separate_stains(rgb: np.ndarray, stains: np.ndarray, white: np.ndarray) -> np.ndarray:
    density = -np.log10(np.maximum(rgb + np.uint8(1), 1).astype(float) / white)
    unit = stains / np.linalg.norm(stains, axis=1, keepdims=True)
    return np.maximum(density @ np.linalg.pinv(unit), 0.0)
