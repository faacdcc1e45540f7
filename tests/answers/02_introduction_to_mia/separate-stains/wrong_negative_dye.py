# expect: separate-stains-limits: negative
def separate_stains(rgb: np.ndarray, stains: np.ndarray, white: np.ndarray) -> np.ndarray:
    density = -np.log10(np.maximum(rgb.astype(float), 1.0) / white)
    unit = stains / np.linalg.norm(stains, axis=1, keepdims=True)
    return density @ np.linalg.pinv(unit)
