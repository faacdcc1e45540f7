# expect: next-word-distribution-order: the first are kept
def next_word_distribution(logits, temperature=1.0, top_p=1.0):
    if temperature < 0 or not 0 < top_p <= 1:
        raise ValueError("bad")
    logits = np.asarray(logits, float)
    p = np.zeros(len(logits))
    if temperature == 0:
        p[np.argmax(logits)] = 1
        return p
    z = logits / temperature
    q = np.exp(z - z.max())
    q /= q.sum()
    order = np.argsort(q)[::-1]
    c = np.cumsum(q[order])
    n = int((c < top_p).sum()) + 1
    keep = order[:n]
    p[keep] = q[keep]
    return p / p.sum()
