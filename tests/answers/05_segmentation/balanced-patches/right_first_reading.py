def patch_corners(mask, size, n, share, seed):
    mask = np.asarray(mask, bool)
    size, shape = np.array(size), np.array(mask.shape)
    room = shape - size
    if (room < 0).any():
        raise ValueError("the patch is larger than the volume")
    rng = np.random.default_rng(seed)
    corners = rng.integers(0, room + 1, (n, 3))
    voxels = np.argwhere(mask)
    if len(voxels):
        k = int(round(share * n))
        v = voxels[rng.integers(0, len(voxels), k)]
        corners[:k] = np.clip(v - size // 2, 0, room)
    return corners
