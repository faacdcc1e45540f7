def clip_by_norm(gradients: list, max_norm: float) -> tuple[list, float]:
    whole = np.concatenate([np.ravel(g) for g in gradients if g is not None] or [np.zeros(0)])
    if not np.all(np.isfinite(whole)):
        raise ValueError("broken gradient")
    norm = np.linalg.norm(whole)
    if norm <= max_norm:
        return [None if g is None else g.copy() for g in gradients], norm
    return [None if g is None else g / norm * max_norm for g in gradients], norm
