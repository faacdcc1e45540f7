def match_grey_values(image: np.ndarray, mask: np.ndarray, reference: np.ndarray) -> np.ndarray:
    reference = np.asarray(reference, dtype=float).ravel()
    if image.shape != mask.shape or not mask.any() or len(reference) == 0 or not np.isfinite(image[mask]).all() or not np.isfinite(reference).all():
        raise ValueError("bad input")
    from scipy.stats import rankdata
    out = np.array(image, dtype=np.float32)
    rank = rankdata(image[mask], method="max")
    index = np.ceil(rank / mask.sum() * len(reference) - 1e-9).astype(int) - 1
    out[mask] = np.sort(reference)[index]
    return out
