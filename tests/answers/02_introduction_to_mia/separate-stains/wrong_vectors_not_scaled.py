# expect: separate-stains-pure: unit length
def separate_stains(rgb: np.ndarray, stains: np.ndarray, white: np.ndarray) -> np.ndarray:
    density = -np.log10(np.maximum(rgb.astype(float), 1.0) / white)
    unit = stains * 1.0
    return np.maximum(density @ np.linalg.pinv(unit), 0.0)
