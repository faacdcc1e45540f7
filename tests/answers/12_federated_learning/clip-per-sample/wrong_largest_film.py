# expect: clip-per-sample-film: not [0.68 0.74]
def clip_and_sum(per_sample: list[np.ndarray], clip: float) -> list[np.ndarray]:
    if clip <= 0 or any(not np.isfinite(g).all() for g in per_sample):
        raise ValueError("input")
    norm = np.sqrt(sum((g**2).sum(axis=tuple(range(1, g.ndim))) for g in per_sample))
    return [(g * min(1.0, clip / max(norm.max(initial=0), clip))).sum(0) for g in per_sample]
