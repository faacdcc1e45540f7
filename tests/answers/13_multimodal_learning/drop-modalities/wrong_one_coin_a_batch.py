# expect: drop-modalities-rate: all patients lose the same modalities
def drop_modalities(present: np.ndarray, rate: float, seed: int) -> np.ndarray:
    if not 0 <= rate < 1 or not present.any(1).all():
        raise ValueError("bad input")
    rng = np.random.default_rng(seed)
    coin = rng.random(present.shape[1]) >= rate
    if not coin.any():
        coin[rng.integers(len(coin))] = True
    kept = present & coin
    return np.where(kept.any(1, keepdims=True), kept, present)
