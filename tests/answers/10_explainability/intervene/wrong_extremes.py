# expect: intervene-value: maximum and the minimum
def intervene(logits: np.ndarray, truth: np.ndarray, which: np.ndarray, train_logits: np.ndarray, w: np.ndarray, b: float) -> tuple[np.ndarray, np.ndarray]:
    """Correct some concepts of some patients, and predict anew (Koh et al., ICML 2020).

    Args:
        logits: (N, K) predicted concept logits; they stay as they are.
        truth: (N, K) what the reader sees, 0 absent or 1 present; any value, nan too, where which is False.
        which: (N, K) bool, True where the reader corrects this concept of this patient.
        train_logits: (M, K) the model's concept logits on its training images.
        w, b: (K,) and a number, the linear head on concept logits.

    Returns:
        corrected (N, K): the 95th percentile (present) or the 5th (absent) of that concept's training logits where which is True; logits elsewhere.
        probability (N,): of the label, sigmoid(corrected @ w + b).

    Raises:
        ValueError: truth is neither 0 nor 1 somewhere where which is True.
    """
    logits, truth, which = np.asarray(logits, dtype=float), np.asarray(truth, dtype=float), np.asarray(which, dtype=bool)
    if not np.isin(truth[which], (0, 1)).all():
        raise ValueError("where a concept is corrected its truth must be 0 or 1")
    low, high = np.min(train_logits, axis=0), np.max(train_logits, axis=0)
    corrected = np.where(which, np.where(truth == 1, high, low), logits)
    return corrected, 1 / (1 + np.exp(-(corrected @ np.asarray(w) + b)))
