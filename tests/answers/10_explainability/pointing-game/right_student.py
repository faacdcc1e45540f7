from scipy.ndimage import distance_transform_edt

def points_to(heat, mask, spacing, tolerance):
    heat, mask = np.asarray(heat, float), np.asarray(mask, bool)
    if heat.shape != mask.shape or not mask.any() or not np.isfinite(heat).all():
        raise ValueError("bad input")
    d = distance_transform_edt(~mask, sampling=spacing)
    return float((d[heat == heat.max()] <= tolerance).mean())
