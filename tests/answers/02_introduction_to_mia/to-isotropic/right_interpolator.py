from scipy.interpolate import RegularGridInterpolator


def to_isotropic(image: np.ndarray, label: np.ndarray, spacing: tuple, new: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    """With a grid interpolator in millimetres."""
    grids, axes = [], []
    for n, s in zip(image.shape, spacing):
        grids.append(np.arange(n) * s)
        axes.append(np.minimum(np.arange(max(1, int(round(n * s / new)))) * new, (n - 1) * s))
    points = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1)
    image = np.asarray(image, float)
    if min(image.shape) == 1:  # an axis of one voxel can't be interpolated along: double it
        image = np.concatenate([image, image], axis=image.shape.index(1))
        one = label.shape.index(1)
        grids[one] = np.array([0.0, 1.0])
    fine = RegularGridInterpolator(grids, image, method="linear")(points)
    nearest = [np.minimum(np.floor(a / s + 0.5).astype(int), n - 1) for a, s, n in zip(axes, spacing, label.shape)]
    return fine, label[np.ix_(*nearest)]
