# expect: bm25-scores-length: relative to the mean
def bm25_scores(question: list[str], passages: list[list[str]], k1: float = 1.5, b: float = 0.75) -> np.ndarray:
    if not any(len(p) for p in passages):
        raise ValueError("nothing to search")
    mean = sum(len(p) for p in passages) / len(passages)
    scores = []
    for p in passages:
        s = 0.0
        for word in question:
            f = p.count(word)
            n = sum(word in other for other in passages)
            if f == 0:
                continue
            idf = np.log(1 + (len(passages) - n + 0.5) / (n + 0.5))
            s += idf * f * (k1 + 1) / (f + k1 * (1 - b + b * len(p)))
        scores.append(s)
    return np.array(scores)
