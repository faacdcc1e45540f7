# expect: pairwise-masks-hide: draw a number for each entry
def masked_update(update: np.ndarray, me: int, others: list[int], seeds: list[int], scale: float) -> np.ndarray:
    update = np.asarray(update, dtype=float)
    if len(others) != len(seeds) or me in others or not np.isfinite(update).all() or np.abs(update).max(initial=0) * scale * (1 + len(others)) >= 2**31:
        raise ValueError("input")
    sent = np.rint(update * scale).astype(np.int64)
    for other, seed in zip(others, seeds, strict=True):
        draw = np.random.default_rng(seed)
        mask = int(draw.integers(0, 2**32))
        sent = (sent + (1 if me < other else -1) * mask) % 2**32
    return (sent % 2**32).astype(np.uint32)
