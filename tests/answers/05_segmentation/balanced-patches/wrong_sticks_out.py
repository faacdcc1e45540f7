# expect: balanced-patches-inside: a corner is negative
def patch_corners(mask: np.ndarray, size: tuple[int, int, int], n: int, share: float, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    last = np.array(mask.shape) - np.array(size)
    if (last < 0).any():
        raise ValueError("the patch is larger than the volume")
    corners = rng.integers(0, last + 1, (n, 3))
    voxels, first = np.argwhere(mask), round(share * n)
    if len(voxels):
        drawn = voxels[rng.integers(0, len(voxels), first)]
        corners[:first] = drawn - np.array(size) // 2
    return corners
