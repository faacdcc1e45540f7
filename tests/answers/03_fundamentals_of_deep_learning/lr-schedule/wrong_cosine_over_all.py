# expect: lr-schedule-warmup, lr-schedule-cosine: the cosine begins at the peak
def warmup_cosine(t: int, total: int, warmup: int, peak: float, floor: float = 0.0) -> float:
    import math

    if not 0 <= t < total:
        raise ValueError(f"step {t} is not one of the steps 0 to {total - 1}: was the epoch counted instead?")
    if t < warmup:
        return peak * (t + 1) / warmup
    return floor + (peak - floor) * (1 + math.cos(math.pi * t / (total - 1))) / 2
