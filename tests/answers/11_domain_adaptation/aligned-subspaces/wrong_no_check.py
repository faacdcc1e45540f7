# expect: aligned-subspaces-bad: raise a ValueError
def aligned_subspaces(source: np.ndarray, target: np.ndarray, d: int) -> tuple[np.ndarray, np.ndarray]:
    s, t = source - source.mean(0), target - target.mean(0)
    p, q = (np.linalg.svd(np.nan_to_num(rows), full_matrices=False)[2][: max(d, 1)].T for rows in (s, t))
    k = min(len(p), len(q))
    return s @ p @ p[:k].T @ q[:k], t @ q
