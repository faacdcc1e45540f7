def drop_modalities(present: np.ndarray, rate: float, seed: int) -> np.ndarray:
    if not 0 <= rate < 1:
        raise ValueError("rate")
    rng = np.random.default_rng(seed)
    out = np.zeros(present.shape, dtype=bool)
    for i, row in enumerate(present):
        had = np.flatnonzero(row)
        if len(had) == 0:
            raise ValueError("a patient without anything")
        stay = had[rng.random(len(had)) > rate]
        out[i, stay if len(stay) else rng.choice(had)] = True
    return out
