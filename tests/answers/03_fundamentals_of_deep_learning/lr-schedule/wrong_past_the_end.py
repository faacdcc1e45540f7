# expect: lr-schedule-edges: a training of 10 steps has no step 10
def warmup_cosine(t: int, total: int, warmup: int, peak: float, floor: float = 0.0) -> float:
    import math

    if t < 0:
        raise ValueError(f"step {t} is not one of the steps 0 to {total - 1}: was the epoch counted instead?")
    if t < warmup:
        return peak * (t + 1) / warmup
    return floor + (peak - floor) * (1 + math.cos(math.pi * (t - warmup) / (total - 1 - warmup))) / 2
