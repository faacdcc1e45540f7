# expect: drop-modalities-bad: must raise a ValueError
def drop_modalities(present: np.ndarray, rate: float, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    kept = present & (rng.random(present.shape) >= rate)
    empty = ~kept.any(1)
    lot = np.where(present, rng.random(present.shape), -1.0).argmax(1)
    kept[empty, lot[empty]] = True
    return kept
