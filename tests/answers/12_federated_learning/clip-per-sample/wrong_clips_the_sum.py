# expect: clip-per-sample-film: the SUM was clipped
def clip_and_sum(per_sample: list[np.ndarray], clip: float) -> list[np.ndarray]:
    if not clip > 0 or not all(np.isfinite(g).all() for g in per_sample):
        raise ValueError("clip or gradient")
    total = [g.sum(0) for g in per_sample]
    norm = np.sqrt(sum((t**2).sum() for t in total))
    return [t * min(1.0, clip / max(norm, 1e-30)) for t in total]
