# expect: drop-modalities-seed: another seed must give another mask
def drop_modalities(present: np.ndarray, rate: float, seed: int) -> np.ndarray:
    if not 0 <= rate < 1 or not present.any(1).all():
        raise ValueError("bad input")
    rng = np.random.default_rng(0)
    kept = present & (rng.random(present.shape) >= rate)
    empty = ~kept.any(1)
    lot = np.where(present, rng.random(present.shape), -1.0).argmax(1)
    kept[empty, lot[empty]] = True
    return kept
