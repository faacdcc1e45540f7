# expect: pointing-game-mm: exchanged
def points_to(heat: np.ndarray, mask: np.ndarray, spacing: tuple[float, float], tolerance: float) -> float:
    from scipy.ndimage import distance_transform_edt

    heat, mask = np.asarray(heat, dtype=float), np.asarray(mask, dtype=bool)
    if heat.shape != mask.shape:
        raise ValueError(f"map {heat.shape} and mask {mask.shape} differ in shape")
    if not mask.any():
        raise ValueError("the mask is empty: there is nothing to point at")
    if not np.isfinite(heat).all():
        raise ValueError("the map holds a value that is not finite")
    distance = distance_transform_edt(~mask, sampling=spacing[::-1])
    return float((distance[heat == heat.max()] <= tolerance + 1e-9).mean())
