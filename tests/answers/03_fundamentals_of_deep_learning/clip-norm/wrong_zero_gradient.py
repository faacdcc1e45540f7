# expect: clip-norm-small: zero gradients should stay zero
def clip_by_norm(gradients: list, max_norm: float) -> tuple[list, float]:
    norm = float(np.sqrt(sum((g**2).sum() for g in gradients if g is not None)))
    if not np.isfinite(norm):
        raise ValueError("a gradient is nan or infinite: the loss is broken, and clipping would hide it")
    factor = min(1.0, np.float64(max_norm) / np.float64(norm) * np.sign(norm)) if norm > 0 else np.nan
    return [None if g is None else g * factor for g in gradients], norm
