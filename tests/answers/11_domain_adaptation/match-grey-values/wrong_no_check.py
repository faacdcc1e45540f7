# expect: match-grey-values-bad: raise a ValueError
def match_grey_values(image: np.ndarray, mask: np.ndarray, reference: np.ndarray) -> np.ndarray:
    out, v = np.array(image, dtype=float), image[mask]
    share = np.searchsorted(np.sort(v), v, side="right") / max(len(v), 1)
    out[mask] = np.sort(reference)[np.clip(np.ceil(share * len(reference) - 1e-9).astype(int) - 1, 0, None)]
    return out
