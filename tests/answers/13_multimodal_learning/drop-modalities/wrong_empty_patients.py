# expect: drop-modalities-rescue: have nothing left
def drop_modalities(present: np.ndarray, rate: float, seed: int) -> np.ndarray:
    if not 0 <= rate < 1 or not present.any(1).all():
        raise ValueError("bad input")
    rng = np.random.default_rng(seed)
    return present & (rng.random(present.shape) >= rate)
