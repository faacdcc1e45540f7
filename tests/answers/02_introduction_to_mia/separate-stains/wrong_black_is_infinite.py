# expect: separate-stains-limits: black
def separate_stains(rgb: np.ndarray, stains: np.ndarray, white: np.ndarray) -> np.ndarray:
    with np.errstate(all="ignore"):
        density = -np.log10(rgb.astype(float) / white)
        unit = stains / np.linalg.norm(stains, axis=1, keepdims=True)
        return np.maximum(density @ np.linalg.pinv(unit), 0.0)
