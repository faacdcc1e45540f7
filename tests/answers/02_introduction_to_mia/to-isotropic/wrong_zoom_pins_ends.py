# expect: to-isotropic-image: pins both ends
from scipy import ndimage


def to_isotropic(image: np.ndarray, label: np.ndarray, spacing: tuple, new: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    factor = np.asarray(spacing, float) / new
    return ndimage.zoom(np.asarray(image, float), factor, order=1), ndimage.zoom(label, factor, order=0)
