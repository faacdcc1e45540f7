def exposure(log_probs: np.ndarray, secret: int) -> float:
    from scipy.stats import rankdata

    if np.isnan(log_probs).any() or secret not in range(len(log_probs)):
        raise ValueError("nan or no position")
    return float(-np.log2(rankdata(-np.asarray(log_probs))[secret] / len(log_probs)))
