# expect: match-grey-values-mask: pixels outside the mask must stay
def match_grey_values(image: np.ndarray, mask: np.ndarray, reference: np.ndarray) -> np.ndarray:
    reference = np.asarray(reference, dtype=float).ravel()
    if image.shape != mask.shape or not mask.any() or len(reference) == 0 or not np.isfinite(image[mask]).all() or not np.isfinite(reference).all():
        raise ValueError("bad input")
    out, v = np.zeros(image.shape), image[mask]
    share = np.searchsorted(np.sort(v), v, side="right") / len(v)
    out[mask] = np.quantile(reference, share, method="inverted_cdf")
    return out
