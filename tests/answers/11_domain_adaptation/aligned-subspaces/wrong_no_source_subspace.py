# expect: aligned-subspaces-value: the source is not
def aligned_subspaces(source: np.ndarray, target: np.ndarray, d: int) -> tuple[np.ndarray, np.ndarray]:
    if source.shape[1] != target.shape[1] or not np.isfinite(source).all() or not np.isfinite(target).all():
        raise ValueError("bad input")
    if d < 1 or d > min(len(source) - 1, len(target) - 1, source.shape[1]):
        raise ValueError("d out of range")
    s, t = source - source.mean(0), target - target.mean(0)

    def axes(rows):
        return np.linalg.svd(rows - rows.mean(0), full_matrices=False)[2][:d].T
    return s @ axes(t), t @ axes(t)
