# expect: match-grey-values-order: not places in a sorted order
def match_grey_values(image: np.ndarray, mask: np.ndarray, reference: np.ndarray) -> np.ndarray:
    reference = np.asarray(reference, dtype=float).ravel()
    if image.shape != mask.shape or not mask.any() or len(reference) == 0 or not np.isfinite(image[mask]).all() or not np.isfinite(reference).all():
        raise ValueError("bad input")
    out, v = image.astype(float).copy(), image[mask]
    rank = v.argsort(kind="stable").argsort(kind="stable") + 1
    out[mask] = np.sort(reference)[np.ceil(rank / len(v) * len(reference) - 1e-9).astype(int) - 1]
    return out
