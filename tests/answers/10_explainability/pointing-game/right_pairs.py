def points_to(heat, mask, spacing, tolerance) -> float:
    heat = np.asarray(heat, dtype=np.float64)
    mask = np.asarray(mask).astype(bool)
    if heat.shape != mask.shape or mask.sum() == 0 or np.isnan(heat).any() or np.isinf(heat).any():
        raise ValueError("bad input")
    step = np.asarray(spacing, dtype=float)
    there = np.argwhere(mask) * step
    peaks = np.argwhere(heat >= heat.max()) * step
    hits = [np.min(np.sqrt(((there - peak) ** 2).sum(1))) <= tolerance * (1 + 1e-9) for peak in peaks]
    return sum(hits) / len(hits)
