# expect: krum-choice: Krum chooses, it doesn't average
def krum(updates: np.ndarray, f: int) -> int:
    k, broken = len(updates), ~np.isfinite(updates).all(axis=1)
    if f < 0 or k < 2 * f + 3 or broken.sum() > f:
        raise ValueError("input")
    sound = np.where(broken[:, None], 1e9, updates)
    square = ((sound[:, None] - sound[None]) ** 2).sum(-1)
    score = np.sort(square, axis=1)[:, 1 : k - f - 1].sum(1)
    return sound[np.argsort(score)[: k - f]].mean(0)
