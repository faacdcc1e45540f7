def patch_pairs(fixed, moving, centres, size, seed):
    if size % 2 != 1:
        raise ValueError("odd")
    h, (H, W) = size // 2, fixed.shape
    rng = np.random.default_rng(seed)
    cut = lambda image, r, c: image[r - h:r + h + 1, c - h:c + h + 1]
    positives, negatives = [], []
    for row, column in np.asarray(centres):
        for _ in range(20000):
            r, c = rng.integers(h, H - h), rng.integers(h, W - h)
            if max(abs(r - row), abs(c - column)) >= size:
                break
        else:
            raise ValueError("no room")
        positives.append([cut(fixed, row, column), cut(moving, row, column)])
        negatives.append([cut(fixed, row, column), cut(moving, r, c)])
    return np.array(positives + negatives), np.repeat([1, 0], len(centres))
