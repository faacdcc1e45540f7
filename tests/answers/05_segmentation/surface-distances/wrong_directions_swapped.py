# expect: surface-distances-surface: the two directions are swapped
from scipy.ndimage import binary_erosion, distance_transform_edt


def surface_distances(a: np.ndarray, b: np.ndarray, spacing: tuple[float, float, float]) -> tuple[np.ndarray, np.ndarray]:
    if a.shape != b.shape:
        raise ValueError("the masks have different shapes")
    if min(spacing) <= 0:
        raise ValueError("spacing must be above 0 mm")
    surfaces = [mask & ~binary_erosion(mask) for mask in (a, b)]
    far = [distance_transform_edt(~s, sampling=spacing) if s.any() else np.full(s.shape, np.inf) for s in surfaces]
    return far[0][surfaces[1]], far[1][surfaces[0]]
