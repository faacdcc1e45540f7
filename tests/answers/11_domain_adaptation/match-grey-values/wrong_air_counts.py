# expect: match-grey-values-mask: does air take part
def match_grey_values(image: np.ndarray, mask: np.ndarray, reference: np.ndarray) -> np.ndarray:
    reference = np.asarray(reference, dtype=float).ravel()
    if image.shape != mask.shape or not mask.any() or len(reference) == 0 or not np.isfinite(image[mask]).all() or not np.isfinite(reference).all():
        raise ValueError("bad input")
    out, v = image.astype(float).copy(), image[mask]
    share = np.searchsorted(np.sort(image.ravel()), v, side="right") / image.size
    out[mask] = np.sort(reference)[np.ceil(share * len(reference) - 1e-9).astype(int) - 1]
    return out
