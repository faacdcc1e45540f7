# expect: bm25-scores-edge: the empty ones included
import math

def bm25_scores(question, passages, k1=1.5, b=0.75):
    if not passages or not any(passages):
        raise ValueError("nothing")
    N, mean = len(passages), sum(map(len, passages)) / sum(1 for p in passages if p)
    scores = np.zeros(N)
    for w in question:
        n = sum(w in p for p in passages)
        idf = math.log1p((N - n + 0.5) / (n + 0.5))
        for i, p in enumerate(passages):
            f = p.count(w)
            if f:
                scores[i] += idf * f * (k1 + 1) / (f + k1 * (1 - b + b * len(p) / mean))
    return scores
