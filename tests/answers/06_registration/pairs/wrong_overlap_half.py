# expect: pairs-apart: overlap the aligned patch
def patch_pairs(fixed: np.ndarray, moving: np.ndarray, centres: np.ndarray, size: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    if size % 2 == 0:
        raise ValueError("a patch with a centre has an odd size")
    rng, half = np.random.default_rng(seed), size // 2
    rows, columns = np.indices(fixed.shape)
    fits = (rows >= half) & (rows < fixed.shape[0] - half) & (columns >= half) & (columns < fixed.shape[1] - half)
    patches, labels = [], []
    for row, column in centres:
        free = np.argwhere(fits & ((abs(rows - row) > half) | (abs(columns - column) > half)))
        if len(free) == 0:
            raise ValueError(f"the image is too small for a patch that doesn't overlap the one at ({row}, {column})")
        here = fixed[row - half : row + half + 1, column - half : column + half + 1]
        for label, (r, c) in ((1, (row, column)), (0, free[rng.integers(len(free))])):
            patches.append(np.stack([here, moving[r - half : r + half + 1, c - half : c + half + 1]]))
            labels.append(label)
    return np.stack(patches), np.array(labels)
