# expect: clip-per-sample-edge: must raise a ValueError
def clip_and_sum(per_sample: list[np.ndarray], clip: float) -> list[np.ndarray]:
    flat = np.concatenate([np.reshape(g, (len(g), int(np.prod(g.shape[1:])))) for g in per_sample], axis=1)
    norm = np.linalg.norm(flat, axis=1)
    factor = np.minimum(1, clip / np.maximum(norm, 1e-30))
    return [(g * factor.reshape(-1, *[1] * (g.ndim - 1))).sum(0) for g in per_sample]
