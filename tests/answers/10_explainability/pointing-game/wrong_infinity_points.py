# expect: pointing-game-bad: infinite value
from scipy.ndimage import distance_transform_edt

def points_to(heat, mask, spacing, tolerance):
    if heat.shape != mask.shape or not mask.any() or np.isnan(heat).any():
        raise ValueError("bad input")
    d = distance_transform_edt(~mask, sampling=spacing)
    return float((d[heat == heat.max()] <= tolerance).mean())
