# expect: match-grey-values-value: expected 100, 1, 10, 1000
def match_grey_values(image: np.ndarray, mask: np.ndarray, reference: np.ndarray) -> np.ndarray:
    reference = np.asarray(reference, dtype=float).ravel()
    if image.shape != mask.shape or not mask.any() or len(reference) == 0 or not np.isfinite(image[mask]).all() or not np.isfinite(reference).all():
        raise ValueError("bad input")
    out, v = image.astype(float).copy(), image[mask]
    out[mask] = reference.min() + (v - v.min()) / max(np.ptp(v), 1e-12) * np.ptp(reference)
    return out
