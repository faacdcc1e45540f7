# expect: clip-per-sample-film: each number was cut
def clip_and_sum(per_sample: list[np.ndarray], clip: float) -> list[np.ndarray]:
    if not clip > 0 or not all(np.isfinite(g).all() for g in per_sample):
        raise ValueError("clip or gradient")
    return [np.clip(g, -clip, clip).sum(0) for g in per_sample]
