# expect: clip-norm-global: in place
def clip_by_norm(gradients: list, max_norm: float) -> tuple[list, float]:
    norm = float(np.sqrt(sum((g**2).sum() for g in gradients if g is not None)))
    if not np.isfinite(norm):
        raise ValueError("a gradient is broken")
    if norm > max_norm:
        for g in gradients:
            if g is not None:
                g *= max_norm / norm
    return gradients, norm
