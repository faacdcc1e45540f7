def masked_update(update: np.ndarray, me: int, others: list[int], seeds: list[int], scale: float) -> np.ndarray:
    update = np.asarray(update, dtype=float)
    if len(others) != len(seeds) or me in others or not np.isfinite(update).all() or np.abs(update).max(initial=0) * scale * (1 + len(others)) >= 2**31:
        raise ValueError("input")
    sent = torch.tensor(update * scale).round().long()
    for other, seed in zip(others, seeds, strict=True):
        mask = torch.randint(0, 2**32, update.shape, generator=torch.Generator().manual_seed(seed))
        sent = sent + mask if other > me else sent - mask
    return (sent % 2**32).numpy().astype(np.uint32)
