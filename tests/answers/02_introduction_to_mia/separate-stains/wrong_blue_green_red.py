# expect: separate-stains-pure, separate-stains-mixture: red
def separate_stains(rgb: np.ndarray, stains: np.ndarray, white: np.ndarray) -> np.ndarray:
    density = -np.log10(np.maximum(rgb[..., ::-1].astype(float), 1.0) / white)
    unit = stains / np.linalg.norm(stains, axis=1, keepdims=True)
    return np.maximum(density @ np.linalg.pinv(unit), 0.0)
