# expect: to-isotropic-shape, to-isotropic-image, to-isotropic-label: upside down
from scipy import ndimage


def to_isotropic(image: np.ndarray, label: np.ndarray, spacing: tuple, new: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    spacing = np.asarray(spacing, float)
    shape = tuple(max(1, int(round(n * new / s))) for n, s in zip(image.shape, spacing))
    image = ndimage.affine_transform(np.asarray(image, float), new / spacing, output_shape=shape, order=1, mode="nearest")
    label = ndimage.affine_transform(label, new / spacing, output_shape=shape, order=0, mode="nearest")
    return image, label
