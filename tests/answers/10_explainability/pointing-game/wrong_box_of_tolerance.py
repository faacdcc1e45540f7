# expect: pointing-game-mm: not a box around the mask
from scipy.ndimage import binary_dilation

def points_to(heat, mask, spacing, tolerance):
    if heat.shape != mask.shape or not mask.any() or not np.isfinite(heat).all():
        raise ValueError("bad input")
    r, c = (int(tolerance // s) for s in spacing)
    near = binary_dilation(mask, np.ones((2 * r + 1, 2 * c + 1)))
    return float(near[heat == heat.max()].mean())
