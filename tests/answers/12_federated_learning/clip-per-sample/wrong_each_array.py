# expect: clip-per-sample-joint: each array was clipped by itself
def clip_and_sum(per_sample: list[np.ndarray], clip: float) -> list[np.ndarray]:
    if not clip > 0 or not all(np.isfinite(g).all() for g in per_sample):
        raise ValueError("clip or gradient")
    out = []
    for g in per_sample:
        norm = np.sqrt((g.reshape(len(g), int(np.prod(g.shape[1:]))) ** 2).sum(1))
        out.append(np.tensordot(clip / np.maximum(norm, clip), g, axes=1))
    return out
