# expect: pairwise-masks-cancel: one must add and the other subtract
def masked_update(update: np.ndarray, me: int, others: list[int], seeds: list[int], scale: float) -> np.ndarray:
    update = np.asarray(update, dtype=float)
    if len(others) != len(seeds) or me in others or not np.isfinite(update).all() or np.abs(update).max(initial=0) * scale * (1 + len(others)) >= 2**31:
        raise ValueError("input")
    sent = np.rint(update * scale).astype(np.int64)
    for other, seed in zip(others, seeds, strict=True):
        draw = np.random.default_rng(seed)
        mask = draw.integers(0, 2**32, update.shape)
        sent = (sent + (1) * mask) % 2**32
    return (sent % 2**32).astype(np.uint32)
