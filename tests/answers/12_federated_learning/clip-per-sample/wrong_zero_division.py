# expect: clip-per-sample-edge: gives nan
def clip_and_sum(per_sample: list[np.ndarray], clip: float) -> list[np.ndarray]:
    if not clip > 0 or not all(np.isfinite(g).all() for g in per_sample):
        raise ValueError("clip or gradient")
    flat = np.concatenate([np.reshape(g, (len(g), int(np.prod(g.shape[1:])))) for g in per_sample], axis=1)
    norm = np.linalg.norm(flat, axis=1)
    factor = np.where(norm > clip, clip / norm, norm / norm)
    return [(g * factor.reshape(-1, *[1] * (g.ndim - 1))).sum(0) for g in per_sample]
