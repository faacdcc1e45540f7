# expect: faithfulness-refuses: raise a ValueError
def faithfulness(importance: np.ndarray, removed: np.ndarray, full: np.ndarray, without: np.ndarray) -> np.ndarray:
    """Faithfulness correlation of the maps of several patients (Bhatt, Weller and Moura, IJCAI 2020).

    Args:
        importance: (N, K) importance of each region of each patient, signed.
        removed: (M, K) bool, which regions each set removes; M at least 2; the same sets for all patients.
        full: (N,) score of each whole image, any real number such as a logit.
        without: (N, M) score of each patient without the regions of each set.

    Returns:
        (N,) Pearson correlation between the summed importance of a set and the drop of the score, over the sets of one patient;
        0 where one of the two is constant (spread below 1e-12).

    Raises:
        ValueError: the shapes don't fit each other, or there is a nan in importance, full or without.
    """
    importance, full, without = (np.asarray(part, dtype=float) for part in (importance, full, without))
    removed = np.asarray(removed, dtype=float)
    if importance.ndim != 2 or removed.ndim != 2 or removed.shape[1] != importance.shape[1]:
        raise ValueError("importance (N, K) and removed (M, K) must have the same regions")
    if full.shape != importance.shape[:1] or without.shape != (len(full), len(removed)):
        raise ValueError("full must be (N,), and without (N, M)")
    promised, drop = importance @ removed.T, full[:, None] - without
    promised, drop = (part - part.mean(axis=1, keepdims=True) for part in (promised, drop))
    spreads = promised.std(axis=1), drop.std(axis=1)
    moved = (spreads[0] > 1e-12) & (spreads[1] > 1e-12)
    return np.where(moved, (promised * drop).mean(axis=1) / np.where(moved, spreads[0] * spreads[1], 1.0), 0.0)
