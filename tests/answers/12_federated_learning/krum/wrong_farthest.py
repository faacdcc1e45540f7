# expect: krum-choice: too many distances count
def krum(updates: np.ndarray, f: int) -> int:
    k, broken = len(updates), ~np.isfinite(updates).all(1)
    if f < 0 or k < 2 * f + 3 or broken.sum() > f:
        raise ValueError("too few")
    score = []
    for i in range(k):
        distances = sorted(np.inf if broken[i] or broken[j] else float(((updates[i] - updates[j]) ** 2).sum()) for j in range(k) if j != i)
        score.append(sum(distances[f + 1 :]))
    return score.index(min(score))
