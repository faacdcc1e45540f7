# expect: pairwise-masks-input: it would wrap around unnoticed
def masked_update(update: np.ndarray, me: int, others: list[int], seeds: list[int], scale: float) -> np.ndarray:
    update = np.nan_to_num(np.asarray(update, dtype=float))
    sent = np.rint(update * scale).astype(np.int64)
    for other, seed in zip(others, seeds, strict=False):
        draw = np.random.default_rng(seed)
        mask = draw.integers(0, 2**32, update.shape)
        sent = (sent + (1 if me < other else -1) * mask) % 2**32
    return (sent % 2**32).astype(np.uint32)
