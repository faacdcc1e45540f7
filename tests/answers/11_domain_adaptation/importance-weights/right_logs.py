def importance_weights(p_target: np.ndarray, n_source: int, n_target: int, largest: float) -> tuple[np.ndarray, float]:
    p = np.asarray(p_target, dtype=float)
    if len(p) == 0 or np.isnan(p).any() or p.min() < 0 or p.max() > 1 or n_source <= 0 or n_target <= 0 or largest <= 0 or p.max() == 0:
        raise ValueError("bad input")
    from scipy.special import logit
    w = np.exp(np.minimum(logit(p) + np.log(n_source) - np.log(n_target), np.log(largest)))
    w /= w.mean()
    return w, len(w) / np.mean(w**2)
