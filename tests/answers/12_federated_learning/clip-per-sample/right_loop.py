def clip_and_sum(per_sample: list[np.ndarray], clip: float) -> list[np.ndarray]:
    if not clip > 0 or not all(np.isfinite(g).all() for g in per_sample):
        raise ValueError("clip or gradient")
    total = [np.zeros(g.shape[1:]) for g in per_sample]
    for n in range(len(per_sample[0])):
        norm = sum(float((g[n] ** 2).sum()) for g in per_sample) ** 0.5
        for part, g in zip(total, per_sample, strict=True):
            part += g[n] * (clip / norm if norm > clip else 1.0)
    return total
