# expect: match-grey-values-mask: must stay as they are
def match_grey_values(image: np.ndarray, mask: np.ndarray, reference: np.ndarray) -> np.ndarray:
    reference = np.asarray(reference, dtype=float).ravel()
    if image.shape != mask.shape or not mask.any() or len(reference) == 0 or not np.isfinite(image[mask]).all() or not np.isfinite(reference).all():
        raise ValueError("bad input")
    v = np.sort(image[mask])
    share = np.searchsorted(v, image, side="right") / len(v)
    return np.sort(reference)[np.clip(np.ceil(share * len(reference) - 1e-9).astype(int) - 1, 0, None)]
