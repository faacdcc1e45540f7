def patch_corners(mask: np.ndarray, size: tuple[int, int, int], n: int, share: float, seed: int) -> np.ndarray:
    room = np.subtract(mask.shape, size)
    if room.min() < 0:
        raise ValueError("the patch doesn't fit")
    rng = np.random.default_rng(seed)
    k = round(share * n) if mask.any() else 0
    rest = np.floor(rng.random((n - k, 3)) * (room + 1)).astype(int)
    if k == 0:
        return rest
    flat = rng.choice(np.flatnonzero(mask), k)
    middles = np.stack(np.unravel_index(flat, mask.shape), 1)
    on = np.minimum(np.maximum(middles - [s // 2 for s in size], 0), room)
    return np.concatenate([on, rest])
