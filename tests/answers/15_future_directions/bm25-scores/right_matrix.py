def bm25_scores(question: list[str], passages: list[list[str]], k1: float = 1.5, b: float = 0.75) -> np.ndarray:
    lengths = np.array([len(p) for p in passages], float)
    if lengths.sum() == 0:
        raise ValueError("nothing to search")
    words = sorted(set(question))
    f = np.array([[p.count(w) for w in words] for p in passages], float).reshape(len(passages), len(words))
    n = np.count_nonzero(f, axis=0)
    idf = np.log((len(passages) + 1) / (n + 0.5))
    below = f + k1 * (1 - b + b * lengths / lengths.mean())[:, None]
    part = np.divide(f * (k1 + 1), below, out=np.zeros_like(f), where=f > 0)
    return part @ (idf * np.array([question.count(w) for w in words]))
