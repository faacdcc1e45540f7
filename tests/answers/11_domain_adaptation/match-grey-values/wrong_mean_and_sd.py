# expect: match-grey-values-value: straight line
def match_grey_values(image: np.ndarray, mask: np.ndarray, reference: np.ndarray) -> np.ndarray:
    reference = np.asarray(reference, dtype=float).ravel()
    if image.shape != mask.shape or not mask.any() or len(reference) == 0 or not np.isfinite(image[mask]).all() or not np.isfinite(reference).all():
        raise ValueError("bad input")
    out, v = image.astype(float).copy(), image[mask]
    out[mask] = (v - v.mean()) / (v.std() + 1e-12) * reference.std() + reference.mean()
    return out
