# expect: next-word-distribution-limits: temperature 0 gives nan
def next_word_distribution(logits: np.ndarray, temperature: float = 1.0, top_p: float = 1.0) -> np.ndarray:
    if temperature < 0 or not 0 < top_p <= 1:
        raise ValueError("temperature or top_p")
    z = np.asarray(logits, float) / temperature
    p = np.exp(z - z.max())
    p /= p.sum()
    order = np.argsort(-p, kind="stable")
    n = int(np.searchsorted(np.cumsum(p[order]), top_p - 1e-12)) + 1
    p[order[n:]] = 0
    return p / p.sum()
