# expect: krum-input: at least 2 f + 3
def krum(updates: np.ndarray, f: int) -> int:
    k, broken = len(updates), ~np.isfinite(updates).all(1)
    score = []
    for i in range(k):
        distances = sorted(np.inf if broken[i] or broken[j] else float(((updates[i] - updates[j]) ** 2).sum()) for j in range(k) if j != i)
        score.append(sum(distances[: k - f - 2]))
    return score.index(min(score))
