def clip_and_sum(per_sample: list[np.ndarray], clip: float) -> list[np.ndarray]:
    if clip <= 0 or any(not np.isfinite(g).all() for g in per_sample):
        raise ValueError("input")
    norm = np.sqrt(sum((g**2).sum(axis=tuple(range(1, g.ndim))) for g in per_sample))
    factor = np.ones(len(norm))
    factor[norm > clip] = clip / norm[norm > clip]
    return [np.einsum("n,n...->...", factor, g) for g in per_sample]
