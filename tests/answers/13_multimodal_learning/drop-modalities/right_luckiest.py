def drop_modalities(present, rate, seed):
    if not present.any(1).all() or not 0 <= rate < 1:
        raise ValueError("no")
    coins = np.where(present, np.random.default_rng(seed).random(present.shape), -1)
    return present & ((coins >= rate) | (coins == coins.max(1, keepdims=True)))
