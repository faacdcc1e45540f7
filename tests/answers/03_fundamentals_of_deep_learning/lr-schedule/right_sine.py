def warmup_cosine(t: int, total: int, warmup: int, peak: float, floor: float = 0.0) -> float:
    if t < 0 or t > total - 1:
        raise ValueError("no such step")
    if t < warmup:
        return (t + 1) * peak / warmup
    share = (t - warmup) / (total - warmup - 1)
    return peak - (peak - floor) * np.sin(0.5 * np.pi * share) ** 2
