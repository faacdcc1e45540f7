# expect: surface-distances-mm: measure in mm before you look for the nearest
from scipy.ndimage import binary_erosion, distance_transform_edt


def surface_distances(a: np.ndarray, b: np.ndarray, spacing: tuple[float, float, float]) -> tuple[np.ndarray, np.ndarray]:
    if a.shape != b.shape:
        raise ValueError("the masks have different shapes")
    if min(spacing) <= 0:
        raise ValueError("spacing must be above 0 mm")
    surfaces = [mask & ~binary_erosion(mask) for mask in (a, b)]
    far = [mm_of(s, spacing) if s.any() else np.full(s.shape, np.inf) for s in surfaces]
    return far[1][surfaces[0]], far[0][surfaces[1]]


def mm_of(surface, spacing):
    nearest = distance_transform_edt(~surface, return_distances=False, return_indices=True)
    return np.sqrt((((nearest - np.indices(surface.shape)) * np.reshape(spacing, (3, 1, 1, 1))) ** 2).sum(0))
