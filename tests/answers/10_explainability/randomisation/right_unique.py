def map_similarity(before: np.ndarray, after: np.ndarray) -> float:
    if np.shape(before) != np.shape(after):
        raise ValueError("shapes")
    if not np.isfinite(np.stack([before, after])).all():
        raise ValueError("not finite")
    ranks = []
    for heat in (before, after):
        _, where, counts = np.unique(np.abs(heat).ravel(), return_inverse=True, return_counts=True)
        mean_rank = np.cumsum(counts) - (counts - 1) / 2
        rank = mean_rank[where.reshape(-1)]
        ranks.append(rank - rank.mean())
    below = np.sqrt((ranks[0] ** 2).sum() * (ranks[1] ** 2).sum())
    return float((ranks[0] * ranks[1]).sum() / below) if below > 0 else 0.0
