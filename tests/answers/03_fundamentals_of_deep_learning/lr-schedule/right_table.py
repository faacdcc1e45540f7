def warmup_cosine(t: int, total: int, warmup: int, peak: float, floor: float = 0.0) -> float:
    if t not in range(total):
        raise ValueError("no such step")
    up = np.linspace(0, peak, warmup + 1)[1:]
    down = floor + (peak - floor) * 0.5 * (1 + np.cos(np.linspace(0, np.pi, total - warmup)))
    return np.concatenate([up, down])[t]
