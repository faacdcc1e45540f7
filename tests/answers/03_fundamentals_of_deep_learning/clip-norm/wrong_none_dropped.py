# expect: clip-norm-small: keeps its place in the list
def clip_by_norm(gradients: list, max_norm: float) -> tuple[list, float]:
    norm = float(np.sqrt(sum((g**2).sum() for g in gradients if g is not None)))
    if not np.isfinite(norm):
        raise ValueError("a gradient is nan or infinite: the loss is broken, and clipping would hide it")
    factor = min(1.0, max_norm / norm) if norm > 0 else 1.0
    return [g * factor for g in gradients if g is not None], norm
