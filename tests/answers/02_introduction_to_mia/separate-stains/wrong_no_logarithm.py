# expect: separate-stains-pure, separate-stains-mixture: densities
def separate_stains(rgb: np.ndarray, stains: np.ndarray, white: np.ndarray) -> np.ndarray:
    density = 1 - np.maximum(rgb.astype(float), 1.0) / white
    unit = stains / np.linalg.norm(stains, axis=1, keepdims=True)
    return np.maximum(density @ np.linalg.pinv(unit), 0.0)
