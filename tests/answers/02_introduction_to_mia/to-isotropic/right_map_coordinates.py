from scipy.ndimage import map_coordinates


def to_isotropic(image: np.ndarray, label: np.ndarray, spacing: tuple, new: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    shape = [max(1, round(n * s / new)) for n, s in zip(image.shape, spacing)]
    where = np.indices(shape) * new / np.array(spacing, float)[:, None, None, None]
    return (map_coordinates(image.astype(float), where, order=1, mode="nearest"), map_coordinates(label, where, order=0, mode="nearest"))
