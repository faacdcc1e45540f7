# expect: drop-modalities-seed: was changed
def drop_modalities(present: np.ndarray, rate: float, seed: int) -> np.ndarray:
    if not 0 <= rate < 1 or not present.any(1).all():
        raise ValueError("bad input")
    rng = np.random.default_rng(seed)
    lot = np.where(present, rng.random(present.shape), -1.0).argmax(1)
    present &= rng.random(present.shape) >= rate
    empty = ~present.any(1)
    present[empty, lot[empty]] = True
    return present
