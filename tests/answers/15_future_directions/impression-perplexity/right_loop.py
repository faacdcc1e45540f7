def impression_perplexity(log_probs: np.ndarray, tokens: np.ndarray, first: np.ndarray) -> float:
    if tokens.ndim != 2 or log_probs.shape[:2] != tokens.shape or len(first) != len(tokens) or np.min(first) < 1:
        raise ValueError("shapes or first")
    total, n = 0.0, 0
    for i in range(tokens.shape[0]):
        for t in range(int(first[i]), tokens.shape[1]):
            if tokens[i, t] != 0:
                total -= log_probs[i, t - 1, tokens[i, t]]
                n += 1
    if n == 0:
        raise ValueError("no word")
    return float(np.exp(total / n))
