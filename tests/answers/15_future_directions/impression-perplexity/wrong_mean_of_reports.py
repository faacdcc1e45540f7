# expect: impression-perplexity-padding: the mean of each report first
def impression_perplexity(log_probs: np.ndarray, tokens: np.ndarray, first: np.ndarray) -> float:
    if tokens.ndim != 2 or log_probs.shape[:2] != tokens.shape or len(first) != len(tokens) or np.min(first) < 1:
        raise ValueError("shapes or first")
    target = tokens[:, 1:]
    counts = (target != 0) & (np.arange(1, tokens.shape[1]) >= first[:, None])
    if not counts.any():
        raise ValueError("no word")
    said = np.take_along_axis(log_probs[:, :-1], target[..., None], axis=-1)[..., 0]
    return float(np.exp(np.mean([-s[c].mean() for s, c in zip(said, counts) if c.any()])))
