def match_grey_values(image: np.ndarray, mask: np.ndarray, reference: np.ndarray) -> np.ndarray:
    reference = np.asarray(reference, dtype=float).ravel()
    if image.shape != mask.shape or not mask.any() or len(reference) == 0 or not np.isfinite(image[mask]).all() or not np.isfinite(reference).all():
        raise ValueError("bad input")
    values, place, count = np.unique(image[mask], return_inverse=True, return_counts=True)
    order, many = np.sort(reference), len(reference)
    total = np.cumsum(count)
    new = [order[-(-int(t) * many // int(total[-1])) - 1] for t in total]
    out = np.array(image, dtype=float)
    out[mask] = np.array(new)[place]
    return out
