# expect: match-grey-values-value: You interpolate between them
def match_grey_values(image: np.ndarray, mask: np.ndarray, reference: np.ndarray) -> np.ndarray:
    reference = np.asarray(reference, dtype=float).ravel()
    if image.shape != mask.shape or not mask.any() or len(reference) == 0 or not np.isfinite(image[mask]).all() or not np.isfinite(reference).all():
        raise ValueError("bad input")
    from skimage.exposure import match_histograms
    out = np.array(image, dtype=float)
    out[mask] = match_histograms(out[mask][None], reference[None])[0]
    return out
