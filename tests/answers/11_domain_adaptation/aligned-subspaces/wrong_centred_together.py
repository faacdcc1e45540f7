# expect: aligned-subspaces-value: centred by its own mean
def aligned_subspaces(source: np.ndarray, target: np.ndarray, d: int) -> tuple[np.ndarray, np.ndarray]:
    if source.shape[1] != target.shape[1] or not np.isfinite(source).all() or not np.isfinite(target).all():
        raise ValueError("bad input")
    if d < 1 or d > min(len(source) - 1, len(target) - 1, source.shape[1]):
        raise ValueError("d out of range")
    s, t = source - source.mean(0), target - target.mean(0)

    def axes(rows):
        return np.linalg.svd(rows - rows.mean(0), full_matrices=False)[2][:d].T
    mean = np.concatenate([source, target]).mean(0)
    p, q = axes(source), axes(target)
    return (source - mean) @ p @ p.T @ q, (target - mean) @ q
