# expect: drop-modalities-rescue: must be drawn
def drop_modalities(present: np.ndarray, rate: float, seed: int) -> np.ndarray:
    if not 0 <= rate < 1 or not present.any(1).all():
        raise ValueError("bad input")
    rng = np.random.default_rng(seed)
    kept = present & (rng.random(present.shape) >= rate)
    empty = ~kept.any(1)
    kept[empty, present[empty].argmax(1)] = True
    return kept
